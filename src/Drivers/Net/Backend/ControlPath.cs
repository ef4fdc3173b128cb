using System.Buffers.Binary;
using Xen.Abi;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Backend;

/// <summary>
/// The control ring: how the frontend wants its flows spread over its queues. One thread. <b>Source</b>: io/netif.h, "Control messages".
/// </summary>
internal sealed class ControlPath(
    XenbusBackendContext context, BackRing<NetifControlRequest, NetifControlResponse> ring, IEventPort events, FlowSteering steering)
{
    private const int EntrySize = sizeof(uint);

    /// <summary>Why the ring is broken, once it is.</summary>
    public string? Fault => ring.Fault is { } fault ? "control ring: " + fault : null;

    /// <summary>Answers all requests.</summary>
    public void Work()
    {
        do
        {
            while (ring.TryTake(out NetifControlRequest request))
            {
                NetifControlStatus status = Serve(request, out uint data);
                ring.PutResponse(new NetifControlResponse { Id = request.Id, Type = request.Type, Status = status, Data = data });
                if (ring.Push())
                    events.Notify();
            }
        }
        while (ring.FinalCheckForRequests());
    }

    private NetifControlStatus Serve(in NetifControlRequest request, out uint data)
    {
        data = 0;
        switch (request.Type)
        {
            case NetifControlType.GetHashFlags when IsHashing:
                data = (uint)NetifHashTypes.All;
                return NetifControlStatus.Success;
            case NetifControlType.SetHashFlags when IsHashing:
                return SetTypes((NetifHashTypes)request.Data0);
            case NetifControlType.SetHashKey:
                return SetKey(new GrantRef(request.Data0), request.Data1);
            case NetifControlType.GetHashMappingSize:
                data = HashSettings.MostMappings;
                return NetifControlStatus.Success;
            case NetifControlType.SetHashMappingSize:
                return SetMappingSize(request.Data0);
            case NetifControlType.SetHashMapping:
                return SetMapping(new GrantRef(request.Data0), request.Data1, request.Data2);
            case NetifControlType.SetHashAlgorithm:
                return SetAlgorithm(request.Data0);
            default:
                // Also what comes before an algorithm was chosen, and static grants: pages are copied here, not mapped.
                return NetifControlStatus.NotSupported;
        }
    }

    private bool IsHashing => steering.Settings.Algorithm != NetifHashAlgorithm.None;

    private NetifControlStatus SetAlgorithm(uint algorithm)
    {
        if (algorithm > (uint)NetifHashAlgorithm.Toeplitz)
            return NetifControlStatus.InvalidParameter;
        steering.Settings = steering.Settings with { Algorithm = (NetifHashAlgorithm)algorithm };
        return NetifControlStatus.Success;
    }

    private NetifControlStatus SetTypes(NetifHashTypes types)
    {
        if ((types & ~NetifHashTypes.All) != 0)
            return NetifControlStatus.InvalidParameter;
        steering.Settings = steering.Settings with { Types = types };
        return NetifControlStatus.Success;
    }

    private NetifControlStatus SetKey(GrantRef reference, uint size)
    {
        if (size > HashSettings.MostKeyBytes)
            return NetifControlStatus.BufferOverflow;
        byte[] key = new byte[size];
        if (size > 0 && context.Grants.CopyFrom(context.Frontend, reference, 0, key) != GrantStatus.Okay)
            return NetifControlStatus.InvalidParameter;
        steering.Settings = steering.Settings with { Key = key };
        return NetifControlStatus.Success;
    }

    private NetifControlStatus SetMappingSize(uint size)
    {
        if (size > HashSettings.MostMappings)
            return NetifControlStatus.InvalidParameter;
        steering.Settings = steering.Settings with { Mapping = new uint[size] };
        return NetifControlStatus.Success;
    }

    private NetifControlStatus SetMapping(GrantRef reference, uint size, uint offset)
    {
        uint[] old = steering.Settings.Mapping;
        if ((ulong)size + offset > HashSettings.MostMappings)
            return NetifControlStatus.BufferOverflow;
        if (size + offset > old.Length)
            return NetifControlStatus.InvalidParameter;
        Span<byte> bytes = stackalloc byte[HashSettings.MostMappings * EntrySize];
        bytes = bytes[..((int)size * EntrySize)];
        if (size > 0 && context.Grants.CopyFrom(context.Frontend, reference, 0, bytes) != GrantStatus.Okay)
            return NetifControlStatus.InvalidParameter;
        uint[] mapping = [.. old];
        for (int i = 0; i < size; i++)
        {
            uint queue = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(i * EntrySize)..]);
            if (queue >= steering.Queues)
                return NetifControlStatus.InvalidParameter;
            mapping[offset + i] = queue;
        }

        steering.Settings = steering.Settings with { Mapping = mapping };
        return NetifControlStatus.Success;
    }
}
