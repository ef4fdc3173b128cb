using System.Globalization;
using System.Numerics;
using Xen.Abi;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Block.Backend;

/// <summary>One ring, as the frontend published it.</summary>
internal sealed record QueueParameters(GrantRef[] RingRefs, string[] RingRefNames, EvtchnPort EventChannel, string EventChannelName);

/// <summary>What a frontend published, checked. <b>Source</b>: io/blkif.h, "Frontend XenBus Nodes" and "Multiple hardware queues/rings".</summary>
internal sealed record ConnectionParameters(bool Is32Bit, bool Persistent, IReadOnlyList<QueueParameters> Queues)
{
    private const uint LargestOrder = 16;

    /// <summary>Reads the frontend's folder.</summary>
    /// <returns>Null, or one sentence with the name of the node that is wrong.</returns>
    public static string? Read(XenbusBackendContext context, BlockBackendOptions options, out ConnectionParameters? parameters)
    {
        parameters = null;
        XenbusFolder folder = XenbusFolder.FrontendOf(context);
        string? error = ReadProtocol(folder, out bool is32Bit);
        uint queues = 1;
        int pages = 1;
        bool persistent = false;
        error ??= folder.ReadUIntOr("multi-queue-num-queues", 1, 1, (uint)options.MaxQueues, out queues);
        error ??= ReadRingPages(folder, out pages);
        error ??= folder.ReadBool("feature-persistent", out persistent);
        if (error is not null)
            return error;
        if (pages > 1 << options.MaxRingPageOrder)
            return $"frontend's rings have {pages} pages, where {1 << options.MaxRingPageOrder} are the most that is offered";
        List<QueueParameters> all = [];
        for (uint i = 0; i < queues; i++)
        {
            string prefix = queues == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"queue-{i}/");
            error = ReadQueue(folder, prefix, pages, out QueueParameters? queue);
            if (queue is null)
                return error;
            all.Add(queue);
        }

        parameters = new ConnectionParameters(is32Bit, options.PersistentGrants && persistent, all);
        return null;
    }

    private static string? ReadProtocol(XenbusFolder folder, out bool is32Bit)
    {
        string? error = folder.ReadOptional("protocol", out string protocol);
        is32Bit = protocol == IoProtocolAbi.X86_32;
        return error ?? (is32Bit || protocol is "" or IoProtocolAbi.X86_64
            ? null
            : $"frontend's protocol is neither {IoProtocolAbi.X86_64} nor {IoProtocolAbi.X86_32}");
    }

    /// <summary>The number of a ring's pages, from one or the other of the two nodes for it.</summary>
    private static string? ReadRingPages(XenbusFolder folder, out int pages)
    {
        pages = 1;
        if (folder.ReadOptional("ring-page-order", out string text) is { } error)
            return error;
        if (text.Length > 0)
        {
            error = folder.ReadUInt("ring-page-order", 0, LargestOrder, out uint order);
            pages = 1 << (int)order;
            return error;
        }

        error = folder.ReadUIntOr("num-ring-pages", 1, 1, 1 << (int)LargestOrder, out uint number);
        pages = (int)number;
        return error ?? (BitOperations.IsPow2(number) ? null : $"frontend wrote num-ring-pages={number}, which is not a power of two");
    }

    private static string? ReadQueue(XenbusFolder folder, string prefix, int pages, out QueueParameters? queue)
    {
        queue = null;
        string single = prefix + "ring-ref", channel = prefix + "event-channel";

        // A frontend that says it has one page may number it all the same.
        bool numbered = pages > 1 || (!IsThere(folder, single) && IsThere(folder, single + "0"));
        string[] names = [.. Enumerable.Range(0, pages).Select(i => numbered ? single + i.ToString(CultureInfo.InvariantCulture) : single)];
        GrantRef[] references = new GrantRef[pages];
        for (int i = 0; i < pages; i++)
        {
            if (folder.ReadGrantRef(names[i], out references[i]) is { } wrong)
                return wrong;
        }

        string? error = folder.ReadPort(channel, out EvtchnPort port);
        if (error is null)
            queue = new QueueParameters(references, names, port, channel);
        return error;
    }

    private static bool IsThere(XenbusFolder folder, string node) => folder.ReadOptional(node, out string text) is null && text.Length > 0;
}
