using System.Globalization;
using Xen.Abi;
using Xen.Rings;

namespace Xen.XenStore;

/// <summary>
/// Answers messages: each gets one reply of its own kind, or an error by name. Wrong messages get errors; none can do more.
/// <b>Source</b>: docs/misc/xenstore.txt.
/// </summary>
internal sealed partial class RequestDispatcher(StoreServer server)
{
    private const int MostText = XenStoreLimits.PayloadMax;

    /// <summary>Handles one message of a client and queues the reply.</summary>
    /// <param name="client">Whose it is; one message at a time.</param>
    /// <param name="header">Its header; the length is that of the payload.</param>
    /// <param name="payload">What follows; a copy that nobody else writes to.</param>
    public void Handle(StoreClient client, in XenStoreMessageHeader header, ReadOnlySpan<byte> payload)
    {
        var request = new Request(client, header);
        XenErrno error = IsPrivileged(header.Type) && !client.Identity.IsPrivileged ? XenErrno.EACCES
            : !TakesNoTransaction(header.Type) && !server.HasTransaction(client, header.TxId) ? XenErrno.ENOENT
            : Dispatch(request, payload);
        if (error != XenErrno.OK)
            Refuse(request, error);
        server.Report(client);
    }

    private static bool IsPrivileged(XenStoreMessageType type) => type is XenStoreMessageType.Control or XenStoreMessageType.Introduce
        or XenStoreMessageType.Release or XenStoreMessageType.Resume or XenStoreMessageType.SetTarget
        or StoreFeatures.SetFeature or StoreFeatures.GetQuota or StoreFeatures.SetQuota;

    private static bool TakesNoTransaction(XenStoreMessageType type) => type is XenStoreMessageType.Watch or XenStoreMessageType.Unwatch;

    private XenErrno Dispatch(in Request request, ReadOnlySpan<byte> payload) => request.Header.Type switch
    {
        XenStoreMessageType.Read => Read(request, payload),
        XenStoreMessageType.Directory => Directory(request, payload),
        XenStoreMessageType.DirectoryPart => DirectoryPart(request, payload),
        XenStoreMessageType.GetPerms => GetPermissions(request, payload),
        XenStoreMessageType.Write => Write(request, payload),
        XenStoreMessageType.Mkdir => MakeDirectory(request, payload),
        XenStoreMessageType.Rm => Remove(request, payload),
        XenStoreMessageType.SetPerms => SetPermissions(request, payload),
        XenStoreMessageType.Watch => Watch(request, payload),
        XenStoreMessageType.Unwatch => Unwatch(request, payload),
        XenStoreMessageType.ResetWatches => ResetWatches(request),
        XenStoreMessageType.TransactionStart => StartTransaction(request),
        XenStoreMessageType.TransactionEnd => EndTransaction(request, payload),
        XenStoreMessageType.Introduce => Introduce(request, payload),
        XenStoreMessageType.Release => Release(request, payload),
        XenStoreMessageType.GetDomainPath => GetDomainPath(request, payload),
        XenStoreMessageType.IsDomainIntroduced => IsDomainIntroduced(request, payload),
        XenStoreMessageType.Resume => Resume(request, payload),
        XenStoreMessageType.SetTarget => SetTarget(request, payload),
        StoreFeatures.GetFeature => GetFeature(request, payload),
        StoreFeatures.SetFeature => SetFeature(request, payload),
        StoreFeatures.GetQuota => GetQuota(request, payload),
        StoreFeatures.SetQuota => SetQuota(request, payload),
        XenStoreMessageType.Control => Control(request, payload),
        _ => XenErrno.ENOSYS,
    };

    private XenErrno Read(in Request request, ReadOnlySpan<byte> payload)
    {
        if (!TryPath(request, payload, out string path))
            return XenErrno.EINVAL;
        XenErrno error = server.Read(request.Client, request.Header.TxId, path, NodeFacets.Value, out StoreNode? node);
        return error == XenErrno.OK ? Reply(request, node!.Value) : error;
    }

    private XenErrno Directory(in Request request, ReadOnlySpan<byte> payload)
    {
        if (!TryPath(request, payload, out string path))
            return XenErrno.EINVAL;
        XenErrno error = server.Read(request.Client, request.Header.TxId, path, NodeFacets.Names, out StoreNode? node);
        if (error != XenErrno.OK)
            return error;
        if (node!.NamesSize > XenStoreLimits.PayloadMax)
            return XenErrno.E2BIG;
        byte[] message = NewReply(request, node.NamesSize);
        PutNames(node.Names, message.AsSpan(WireText.HeaderSize));
        return Send(request, message);
    }

    /// <summary>The names from an offset into the whole list on, as many as fit. An empty name more says that there are no others.</summary>
    private XenErrno DirectoryPart(in Request request, ReadOnlySpan<byte> payload)
    {
        if (!TryStrings(payload, 2, out string[] strings) || !TryPath(request, strings[0], out string path)
            || !uint.TryParse(strings[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint offset))
            return XenErrno.EINVAL;
        XenErrno error = server.Read(request.Client, request.Header.TxId, path, NodeFacets.Names | NodeFacets.Value, out StoreNode? node);
        if (error != XenErrno.OK)
            return error;
        string generation = node!.Generation.ToString(CultureInfo.InvariantCulture);
        int room = XenStoreLimits.PayloadMax - generation.Length - 1;

        // An offset inside a name gives what is left of it, as a cut of the list would.
        int first = 0;
        long skip = offset;
        while (first < node.Names.Length && skip > node.Names[first].Length)
            skip -= node.Names[first++].Length + 1;
        string[] rest = first < node.Names.Length ? [node.Names[first][(int)skip..], .. node.Names[(first + 1)..]] : [];
        int size = 0, count = 0;
        while (count < rest.Length && size + rest[count].Length + 1 <= room)
            size += rest[count++].Length + 1;
        bool ends = count == rest.Length && size < room;
        byte[] message = NewReply(request, generation.Length + 1 + size + (ends ? 1 : 0));
        WireText.ToBytes(generation).CopyTo(message, WireText.HeaderSize);
        PutNames(rest.AsSpan(0, count), message.AsSpan(WireText.HeaderSize + generation.Length + 1));
        return Send(request, message);
    }

    private XenErrno GetPermissions(in Request request, ReadOnlySpan<byte> payload)
    {
        if (!TryString(payload, out string given) || !TrySpecialOrPath(request, given, out string path))
            return XenErrno.EINVAL;
        XenErrno error = server.GetPermissions(request.Client, request.Header.TxId, path, out NodePermissions? permissions);
        return error == XenErrno.OK ? ReplyText(request, string.Concat(permissions!.Entries.Select(e => NodePermissions.Format(e) + '\0'))) : error;
    }

    private XenErrno Write(in Request request, ReadOnlySpan<byte> payload)
    {
        int end = payload.IndexOf((byte)0);
        if (end < 0 || !TryPath(request, WireText.ToText(payload[..end]), out string path))
            return XenErrno.EINVAL;
        return Acknowledge(request, server.Write(request.Client, request.Header.TxId, path, payload[(end + 1)..].ToArray()));
    }

    private XenErrno MakeDirectory(in Request request, ReadOnlySpan<byte> payload) => TryPath(request, payload, out string path)
        ? Acknowledge(request, server.MakeDirectory(request.Client, request.Header.TxId, path))
        : XenErrno.EINVAL;

    private XenErrno Remove(in Request request, ReadOnlySpan<byte> payload) => TryPath(request, payload, out string path)
        ? Acknowledge(request, server.Remove(request.Client, request.Header.TxId, path))
        : XenErrno.EINVAL;

    private XenErrno SetPermissions(in Request request, ReadOnlySpan<byte> payload)
    {
        int end = payload.IndexOf((byte)0);
        if (end < 0 || !TrySpecialOrPath(request, WireText.ToText(payload[..end]), out string path))
            return XenErrno.EINVAL;
        List<StorePermission> entries = [];
        for (ReadOnlySpan<byte> rest = payload[(end + 1)..]; ; rest = rest[(end + 1)..])
        {
            end = rest.IndexOf((byte)0);
            if (end < 0)
                break;
            if (!NodePermissions.TryParse(rest[..end], out StorePermission entry))
                return XenErrno.EINVAL;
            entries.Add(entry);
        }

        if (entries.Count == 0)
            return XenErrno.EINVAL;
        return Acknowledge(request, server.SetPermissions(request.Client, request.Header.TxId, path, new NodePermissions([.. entries])));
    }

    private XenErrno Watch(in Request request, ReadOnlySpan<byte> payload)
    {
        int? depth = null;
        if (TryStrings(payload, 3, out string[] strings))
        {
            if (int.TryParse(strings[2], NumberStyles.None, CultureInfo.InvariantCulture, out int given))
                depth = given;
            else if (strings[2].Length != 0)
                return XenErrno.EINVAL;
        }
        else if (!TryStrings(payload, 2, out strings))
        {
            return XenErrno.EINVAL;
        }

        XenErrno error = server.AddWatch(request.Client, strings[0], strings[1], depth, null, out StoreWatch? watch);
        Acknowledge(request, error);
        if (error == XenErrno.OK)
            server.FireFirst(watch!);
        return error;
    }

    private XenErrno Unwatch(in Request request, ReadOnlySpan<byte> payload) => TryStrings(payload, 2, out string[] strings)
        ? Acknowledge(request, server.RemoveWatch(request.Client, strings[0], strings[1]))
        : XenErrno.EINVAL;

    private XenErrno ResetWatches(in Request request)
    {
        server.Reset(request.Client);
        return Acknowledge(request, XenErrno.OK);
    }

    private XenErrno StartTransaction(in Request request)
    {
        if (request.Header.TxId != 0)
            return XenErrno.EBUSY;
        XenErrno error = server.StartTransaction(request.Client, out uint id);
        return error == XenErrno.OK ? ReplyText(request, id.ToString(CultureInfo.InvariantCulture) + '\0') : error;
    }

    private XenErrno EndTransaction(in Request request, ReadOnlySpan<byte> payload)
    {
        if (!payload.SequenceEqual("T\0"u8) && !payload.SequenceEqual("F\0"u8))
            return XenErrno.EINVAL;
        return Acknowledge(request, server.EndTransaction(request.Client, request.Header.TxId, payload[0] == 'T'));
    }

    private static void PutNames(ReadOnlySpan<string> names, Span<byte> into)
    {
        foreach (string name in names)
        {
            WireText.ToBytes(name).CopyTo(into);
            into = into[(name.Length + 1)..];
        }
    }

    /// <summary>A payload that is one string and nothing else.</summary>
    private static bool TryString(ReadOnlySpan<byte> payload, out string text)
    {
        int end = payload.IndexOf((byte)0);
        bool ok = end >= 0 && end == payload.Length - 1;
        text = ok ? WireText.ToText(payload[..end]) : string.Empty;
        return ok;
    }

    /// <summary>The first strings of a payload, if it has so many; what follows is for later versions of the protocol.</summary>
    private static bool TryStrings(ReadOnlySpan<byte> payload, int count, out string[] strings)
    {
        strings = new string[count];
        for (int i = 0; i < count; i++)
        {
            int end = payload.IndexOf((byte)0);
            if (end < 0)
                return false;
            strings[i] = WireText.ToText(payload[..end]);
            payload = payload[(end + 1)..];
        }

        return true;
    }

    private static bool TryPath(in Request request, ReadOnlySpan<byte> payload, out string path)
    {
        path = string.Empty;
        return TryString(payload, out string given) && TryPath(request, given, out path);
    }

    private static bool TryPath(in Request request, string given, out string path) =>
        StorePath.TryResolve(given, request.Client.Domain.Id, request.Client.Quotas, out path);

    private static bool TrySpecialOrPath(in Request request, string given, out string path)
    {
        path = given;
        return StorePath.IsSpecial(given) || TryPath(request, given, out path);
    }

    private static XenErrno Acknowledge(in Request request, XenErrno error) => error == XenErrno.OK ? Reply(request, "OK\0"u8) : error;

    private static XenErrno ReplyText(in Request request, string text) =>
        text.Length > MostText ? XenErrno.E2BIG : Reply(request, WireText.ToBytes(text));

    private static XenErrno Reply(in Request request, ReadOnlySpan<byte> payload)
    {
        if (payload.Length > XenStoreLimits.PayloadMax)
            return XenErrno.E2BIG;
        byte[] message = NewReply(request, payload.Length);
        payload.CopyTo(message.AsSpan(WireText.HeaderSize));
        return Send(request, message);
    }

    private static byte[] NewReply(in Request request, int length) =>
        WireText.NewMessage(request.Header.Type, request.Header.ReqId, request.Header.TxId, length);

    private static XenErrno Send(in Request request, byte[] message)
    {
        request.Client.Outbox.AddReply(message);
        return XenErrno.OK;
    }

    private static void Refuse(in Request request, XenErrno error)
    {
        byte[] name = WireText.ToBytes(WireText.ErrorName(error));
        byte[] message = WireText.NewMessage(XenStoreMessageType.Error, request.Header.ReqId, request.Header.TxId, name.Length + 1);
        name.CopyTo(message, WireText.HeaderSize);
        request.Client.Outbox.AddReply(message);
    }

    private readonly record struct Request(StoreClient Client, XenStoreMessageHeader Header);
}
