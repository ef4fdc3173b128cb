using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>
/// One pre-decoded instruction (or a part of one): what to call, and its operands as byte offsets into <see cref="RegisterFile"/>.
/// A memory operand is at <c>Base + (Index &lt;&lt; Scale) + Displacement</c>; absent registers name <see cref="RegisterFile.Zero"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct MicroOp
{
    /// <summary>Address of the handler.</summary>
    public nint Handler;

    /// <summary>Displacement of the memory operand, or the target of a direct branch.</summary>
    public ulong Displacement;

    /// <summary>Immediate, sign-extended; for calls the return address.</summary>
    public ulong Immediate;

    /// <summary>Destination (or first) register.</summary>
    public ushort Dst;

    /// <summary>Source (or second) register.</summary>
    public ushort Src;

    public ushort Base;
    public ushort Index;
    public byte Scale;

    /// <summary>Length of the guest instruction. <b>Units</b>: bytes.</summary>
    public byte Length;

    /// <summary>Start of the guest instruction, from the start of its block. <b>Units</b>: bytes.</summary>
    public ushort RipOffset;

    /// <summary>Instructions of the block up to this one, this one included.</summary>
    public ushort Ordinal;
}
