using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of event_channel_op. <b>Source</b>: event_channel.h, EVTCHNOP_*.</summary>
public enum EventChannelOperation : uint
{
    BindInterdomain = 0,
    BindVirq = 1,
    BindPirq = 2,
    Close = 3,
    Send = 4,
    Status = 5,
    AllocUnbound = 6,
    BindIpi = 7,
    BindVcpu = 8,
    Unmask = 9,
    Reset = 10,
    InitControl = 11,
    ExpandArray = 12,
    SetPriority = 13,
}

/// <summary>Virtual interrupts: V. are per vCPU, G. global. <b>Source</b>: xen.h, VIRQ_*.</summary>
public enum VirtualIrq : uint
{
    /// <summary>V. Timebase change, or a requested timeout.</summary>
    Timer = 0,

    /// <summary>V. The guest shall dump debug information.</summary>
    Debug = 1,

    /// <summary>G. (Dom0) Bytes came in on the emergency console.</summary>
    Console = 2,

    /// <summary>G. (Dom0) Something exceptional happened to a domain: it shut down or died.</summary>
    DomExc = 3,

    /// <summary>G. (Dom0) The trace buffer has records.</summary>
    Tbuf = 4,

    /// <summary>G. (Dom0) A domain stopped for its debugger.</summary>
    Debugger = 6,

    /// <summary>V. A profile sample is there.</summary>
    Xenoprof = 7,

    /// <summary>G. (Dom0) Bytes came out on the console ring.</summary>
    ConRing = 8,

    /// <summary>G. (Dom0) A physical CPU changed its state.</summary>
    PcpuState = 9,

    /// <summary>G. (Dom0) A memory event.</summary>
    MemEvent = 10,

    /// <summary>G. An Argo message.</summary>
    Argo = 11,

    /// <summary>G. (Dom0) The hypervisor is low on memory.</summary>
    Enomem = 12,

    /// <summary>V. Performance counter interrupt.</summary>
    Xenpmu = 13,

    /// <summary>First of the eight architecture-specific ones; on x86 the machine check (VIRQ_MCA).</summary>
    Arch0 = 16,
    Arch1 = 17,
    Arch2 = 18,
    Arch3 = 19,
    Arch4 = 20,
    Arch5 = 21,
    Arch6 = 22,
    Arch7 = 23,
}

/// <summary>Limits of the two-level event channel ABI and of VIRQs.</summary>
public static class EventChannelLimits
{
    /// <summary><b>Source</b>: xen.h, NR_VIRQS.</summary>
    public const int NrVirqs = 24;

    /// <summary>Ports of the two-level ABI for a 64-bit guest. <b>Source</b>: event_channel.h, EVTCHN_2L_NR_CHANNELS.</summary>
    public const int TwoLevelNrChannels = 4096;
}

/// <summary>Opens a port that a remote domain may bind to. <b>Source</b>: event_channel.h, struct evtchn_alloc_unbound.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnAllocUnbound
{
    public DomId Dom;
    public DomId RemoteDom;

    /// <summary>Out.</summary>
    public EvtchnPort Port;
}

/// <summary>Connects to an unbound port of another domain. <b>Source</b>: event_channel.h, struct evtchn_bind_interdomain.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnBindInterdomain
{
    public DomId RemoteDom;
    public EvtchnPort RemotePort;

    /// <summary>Out.</summary>
    public EvtchnPort LocalPort;
}

/// <summary><b>Source</b>: event_channel.h, struct evtchn_bind_virq.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnBindVirq
{
    public VirtualIrq Virq;
    public uint Vcpu;

    /// <summary>Out.</summary>
    public EvtchnPort Port;
}

/// <summary><b>Source</b>: event_channel.h, struct evtchn_bind_pirq.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnBindPirq
{
    public uint Pirq;
    public BindPirqFlags Flags;

    /// <summary>Out.</summary>
    public EvtchnPort Port;
}

/// <summary><b>Source</b>: event_channel.h, BIND_PIRQ__*.</summary>
[Flags]
public enum BindPirqFlags : uint
{
    None = 0,
    WillShare = 1,
}

/// <summary><b>Source</b>: event_channel.h, struct evtchn_bind_ipi.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnBindIpi
{
    public uint Vcpu;

    /// <summary>Out.</summary>
    public EvtchnPort Port;
}

/// <summary><b>Source</b>: event_channel.h, struct evtchn_close.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnClose
{
    public EvtchnPort Port;
}

/// <summary><b>Source</b>: event_channel.h, struct evtchn_send.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnSend
{
    public EvtchnPort Port;
}

/// <summary>State of a port. <b>Source</b>: event_channel.h, struct evtchn_status.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
public struct EvtchnStatus
{
    [FieldOffset(0)]
    public DomId Dom;

    [FieldOffset(4)]
    public EvtchnPort Port;

    /// <summary>Out.</summary>
    [FieldOffset(8)]
    public EvtchnStatusKind Status;

    /// <summary>Out: the vCPU that the port notifies.</summary>
    [FieldOffset(12)]
    public uint Vcpu;

    /// <summary>Out, when unbound (u.unbound.dom).</summary>
    [FieldOffset(16)]
    public DomId UnboundDom;

    /// <summary>Out, when interdomain (u.interdomain.dom).</summary>
    [FieldOffset(16)]
    public DomId InterdomainDom;

    /// <summary>Out, when interdomain (u.interdomain.port).</summary>
    [FieldOffset(20)]
    public EvtchnPort InterdomainPort;

    /// <summary>Out, when bound to a physical interrupt (u.pirq).</summary>
    [FieldOffset(16)]
    public uint Pirq;

    /// <summary>Out, when bound to a virtual interrupt (u.virq).</summary>
    [FieldOffset(16)]
    public VirtualIrq Virq;
}

/// <summary>What a port is bound to. <b>Source</b>: event_channel.h, EVTCHNSTAT_*.</summary>
public enum EvtchnStatusKind : uint
{
    Closed = 0,
    Unbound = 1,
    Interdomain = 2,
    Pirq = 3,
    Virq = 4,
    Ipi = 5,
}

/// <summary>Chooses the vCPU that a port notifies. <b>Source</b>: event_channel.h, struct evtchn_bind_vcpu.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnBindVcpu
{
    public EvtchnPort Port;
    public uint Vcpu;
}

/// <summary><b>Source</b>: event_channel.h, struct evtchn_unmask.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnUnmask
{
    public EvtchnPort Port;
}

/// <summary>Closes all ports. <b>Source</b>: event_channel.h, struct evtchn_reset.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnReset
{
    public DomId Dom;
}

/// <summary>Gives a vCPU its FIFO control block. <b>Source</b>: event_channel.h, struct evtchn_init_control.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnInitControl
{
    public Gfn ControlGfn;
    public uint Offset;
    public uint Vcpu;

    /// <summary>Out: bits of the link field of an event word.</summary>
    public byte LinkBits;

    /// <summary>Unused (_pad).</summary>
    public ByteArray7 Pad;
}

/// <summary>Adds a page to the FIFO event array. <b>Source</b>: event_channel.h, struct evtchn_expand_array.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnExpandArray
{
    public Gfn ArrayGfn;
}

/// <summary><b>Source</b>: event_channel.h, struct evtchn_set_priority.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct EvtchnSetPriority
{
    public EvtchnPort Port;

    /// <summary>0 (highest) to 15.</summary>
    public uint Priority;
}
