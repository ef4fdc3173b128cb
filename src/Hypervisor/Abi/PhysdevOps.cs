using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of physdev_op. <b>Source</b>: physdev.h, PHYSDEVOP_*.</summary>
public enum PhysdevOperation : uint
{
    /// <summary>Obsolete (PHYSDEVOP_IRQ_UNMASK_NOTIFY).</summary>
    IrqUnmaskNotify = 4,
    IrqStatusQuery = 5,
    SetIopl = 6,
    SetIobitmap = 7,
    ApicRead = 8,
    ApicWrite = 9,
    AllocIrqVector = 10,
    FreeIrqVector = 11,
    Eoi = 12,
    MapPirq = 13,
    UnmapPirq = 14,
    ManagePciAdd = 15,
    ManagePciRemove = 16,
    PirqEoiGmfnV1 = 17,
    RestoreMsi = 19,
    ManagePciAddExt = 20,
    SetupGsi = 21,
    GetFreePirq = 23,
    PciMmcfgReserved = 24,
    PciDeviceAdd = 25,
    PciDeviceRemove = 26,
    RestoreMsiExt = 27,
    PirqEoiGmfnV2 = 28,
    DbgpOp = 29,
    PrepareMsix = 30,
    ReleaseMsix = 31,
}

/// <summary><b>Source</b>: physdev.h, struct physdev_eoi.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevEoi
{
    public uint Irq;
}

/// <summary><b>Source</b>: physdev.h, struct physdev_pirq_eoi_gmfn.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevPirqEoiGmfn
{
    /// <summary>The frame of a bitmap of PIRQs that need an EOI.</summary>
    public Gfn Gmfn;
}

/// <summary><b>Source</b>: physdev.h, struct physdev_irq_status_query.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevIrqStatusQuery
{
    public uint Irq;

    /// <summary>Out.</summary>
    public IrqStatusFlags Flags;
}

/// <summary><b>Source</b>: physdev.h, XENIRQSTAT_*.</summary>
[Flags]
public enum IrqStatusFlags : uint
{
    None = 0,
    NeedsEoi = 1 << 0,
    Shared = 1 << 1,
}

/// <summary>Sets the vCPU's virtual I/O privilege level. <b>Source</b>: physdev.h, struct physdev_set_iopl.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevSetIopl
{
    /// <summary>0 to 3; 1 is the guest kernel.</summary>
    public uint Iopl;
}

/// <summary>Sets the vCPU's I/O permission bitmap. <b>Source</b>: physdev.h, struct physdev_set_iobitmap.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevSetIobitmap
{
    /// <summary>Guest virtual address of the bitmap; a clear bit permits the port. 0 for none.</summary>
    public ulong Bitmap;

    /// <summary>Ports that the bitmap covers, at most 65536.</summary>
    public uint NrPorts;
}

/// <summary><b>Source</b>: physdev.h, struct physdev_apic.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevApic
{
    public ulong ApicPhysbase;
    public uint Reg;

    /// <summary>In for a write, out for a read.</summary>
    public uint Value;
}

/// <summary><b>Source</b>: physdev.h, struct physdev_irq.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevIrq
{
    public uint Irq;
    public uint Vector;
}

/// <summary><b>Source</b>: physdev.h, struct physdev_map_pirq.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevMapPirq
{
    public DomId Domid;
    public MapPirqType Type;
    public int Index;

    /// <summary>In: the wanted one, or negative for any. Out: the one mapped.</summary>
    public int Pirq;
    public int Bus;
    public int Devfn;
    public int EntryNr;
    public ulong TableBase;
}

/// <summary><b>Source</b>: physdev.h, MAP_PIRQ_TYPE_*.</summary>
public enum MapPirqType
{
    Msi = 0,
    Gsi = 1,
    Unknown = 2,
    MsiSeg = 3,
    MultiMsi = 4,
}

/// <summary><b>Source</b>: physdev.h, struct physdev_unmap_pirq.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevUnmapPirq
{
    public DomId Domid;
    public int Pirq;
}

/// <summary><b>Source</b>: physdev.h, struct physdev_get_free_pirq.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysdevGetFreePirq
{
    public MapPirqType Type;

    /// <summary>Out.</summary>
    public uint Pirq;
}
