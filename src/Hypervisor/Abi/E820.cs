using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// One entry of a memory map (XENMEM_memory_map), in the format of the BIOS call INT 15h, eax E820h: 20 bytes, not padded.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public struct E820Entry
{
    /// <summary>Pseudo-physical address of the first byte.</summary>
    public ulong Addr;

    /// <summary><b>Units</b>: bytes.</summary>
    public ulong Size;

    public E820Type Type;
}

/// <summary>What a range of physical addresses is, as the BIOS and ACPI number it.</summary>
public enum E820Type : uint
{
    Ram = 1,
    Reserved = 2,
    Acpi = 3,
    Nvs = 4,
    Unusable = 5,
}
