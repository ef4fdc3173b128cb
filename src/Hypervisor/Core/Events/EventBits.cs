using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>The pending and mask bits of a domain's ports in its shared_info page: the two-level ABI. <b>Source</b>: xen.h, shared_info; event_channel.h.</summary>
/// <remarks>Threads: any; every operation is atomic and a full barrier. The guest changes the same bits.</remarks>
public sealed class EventBits
{
    /// <summary>Ports of the two-level ABI (EVTCHN_2L_NR_CHANNELS).</summary>
    public const int PortCount = EventChannelLimits.TwoLevelNrChannels;

    private readonly MachineMemory _memory;
    private readonly ulong _sharedInfo;

    internal EventBits(MachineMemory memory, Mfn sharedInfo)
    {
        _memory = memory;
        _sharedInfo = sharedInfo.Address;
    }

    /// <summary>Whether the port is pending.</summary>
    public bool IsPending(EvtchnPort port) => (Volatile.Read(ref Word(SharedInfoLayout.EvtchnPending, port)) & Bit(port)) != 0;

    /// <summary>Whether the port is masked.</summary>
    public bool IsMasked(EvtchnPort port) => (Volatile.Read(ref Word(SharedInfoLayout.EvtchnMask, port)) & Bit(port)) != 0;

    /// <summary>Sets the pending bit; returns whether it was set before.</summary>
    public bool TestAndSetPending(EvtchnPort port) => (Interlocked.Or(ref Word(SharedInfoLayout.EvtchnPending, port), Bit(port)) & Bit(port)) != 0;

    /// <summary>Clears the pending bit; returns whether it was set before.</summary>
    public bool TestAndClearPending(EvtchnPort port) => (Interlocked.And(ref Word(SharedInfoLayout.EvtchnPending, port), ~Bit(port)) & Bit(port)) != 0;

    /// <summary>Clears the mask bit; returns whether it was set before.</summary>
    public bool TestAndClearMask(EvtchnPort port) => (Interlocked.And(ref Word(SharedInfoLayout.EvtchnMask, port), ~Bit(port)) & Bit(port)) != 0;

    /// <summary>Which word of the bitmap, and so which bit of a vCPU's selector, a port has.</summary>
    public static int WordOf(EvtchnPort port) => (int)(port.Value / 64);

    private static ulong Bit(EvtchnPort port) => 1ul << (int)(port.Value % 64);

    private ref ulong Word(uint offset, EvtchnPort port) => ref _memory.Ref<ulong>(_sharedInfo + offset + ((port.Value / 64) * 8));
}
