using System.Globalization;

namespace Xen.Abi;

/// <summary>A machine frame number: a 4 KiB page of the machine's memory. <b>Units</b>: frames. <b>Source</b>: xen.h, xen_pfn_t.</summary>
public readonly record struct Mfn(ulong Value)
{
    /// <summary>Not a frame (INVALID_MFN, all ones).</summary>
    public static readonly Mfn Invalid = new(ulong.MaxValue);

    /// <summary>The machine address of the frame's first byte.</summary>
    public ulong Address => Value << Page.Shift;

    public static Mfn FromAddress(ulong machineAddress) => new(machineAddress >> Page.Shift);

    public static Mfn operator +(Mfn frame, ulong count) => new(frame.Value + count);

    public override string ToString() => "mfn " + Value.ToString("x", CultureInfo.InvariantCulture);
}

/// <summary>A pseudo-physical frame number: a page as the guest numbers its own memory, from 0 without holes.</summary>
public readonly record struct Pfn(ulong Value)
{
    public static readonly Pfn Invalid = new(ulong.MaxValue);

    public override string ToString() => "pfn " + Value.ToString("x", CultureInfo.InvariantCulture);
}

/// <summary>A guest frame number as hypercalls pass it: for a PV guest a machine frame number, not yet checked.</summary>
public readonly record struct Gfn(ulong Value)
{
    public override string ToString() => "gfn " + Value.ToString("x", CultureInfo.InvariantCulture);
}

/// <summary>A domain's number. <b>Source</b>: xen.h, domid_t and the DOMID_ constants.</summary>
public readonly record struct DomId(ushort Value)
{
    public static readonly DomId Dom0 = new(0);

    /// <summary>First reserved number (DOMID_FIRST_RESERVED); real domains are below it.</summary>
    public static readonly DomId FirstReserved = new(0x7FF0);

    /// <summary>The calling domain (DOMID_SELF).</summary>
    public static readonly DomId Self = new(0x7FF0);

    /// <summary>I/O memory (DOMID_IO).</summary>
    public static readonly DomId Io = new(0x7FF1);

    /// <summary>The hypervisor's own frames (DOMID_XEN).</summary>
    public static readonly DomId Xen = new(0x7FF2);

    /// <summary>Copy-on-write owner (DOMID_COW).</summary>
    public static readonly DomId Cow = new(0x7FF3);

    /// <summary>No domain (DOMID_INVALID).</summary>
    public static readonly DomId Invalid = new(0x7FF4);

    /// <summary>The idle domain (DOMID_IDLE).</summary>
    public static readonly DomId Idle = new(0x7FFF);

    /// <summary>The bits that a valid number may have (DOMID_MASK).</summary>
    public const ushort Mask = 0x7FFF;

    public bool IsReserved => Value >= FirstReserved.Value;

    public override string ToString() => "d" + Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A virtual CPU's number within its domain, from 0.</summary>
public readonly record struct VcpuId(int Value)
{
    public override string ToString() => "v" + Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>An event channel port of one domain; 0 is never valid. <b>Source</b>: event_channel.h, evtchn_port_t.</summary>
public readonly record struct EvtchnPort(uint Value)
{
    public static readonly EvtchnPort None = new(0);

    public override string ToString() => "port " + Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>An index into a domain's grant table. <b>Source</b>: grant_table.h, grant_ref_t.</summary>
public readonly record struct GrantRef(uint Value)
{
    public override string ToString() => "gref " + Value.ToString(CultureInfo.InvariantCulture);
}
