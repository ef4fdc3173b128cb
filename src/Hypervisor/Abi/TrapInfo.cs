using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>One entry of the virtual IDT; set_trap_table takes a list that ends with address 0. <b>Source</b>: arch-x86/xen.h, struct trap_info.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TrapInfo
{
    public byte Vector;

    /// <summary>Bits 0-1: the least privileged ring that may raise it by software. Bit 2: mask events on entry.</summary>
    public byte Flags;

    public ushort Cs;

    /// <summary>Guest virtual address of the handler; 0 for none.</summary>
    public ulong Address;

    public const byte DplMask = 3;
    public const byte MaskEventsFlag = 4;

    /// <summary>The privilege level that software interrupts need (TI_GET_DPL).</summary>
    public readonly int Dpl => Flags & DplMask;

    /// <summary>Whether events are masked on entry (TI_GET_IF).</summary>
    public readonly bool MasksEvents => (Flags & MaskEventsFlag) != 0;
}
