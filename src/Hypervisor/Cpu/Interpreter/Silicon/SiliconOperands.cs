using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>What an instruction that the host executes gets besides registers, and what it leaves.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SiliconOperands
{
    /// <summary>Arithmetic flags, as bits of rflags.</summary>
    public ulong Flags;

    /// <summary>The guest's MXCSR with all exceptions masked and none raised.</summary>
    public uint Mxcsr;

    /// <summary>The exceptions that the guest has not masked, as bits of MXCSR's lower part.</summary>
    public uint Unmasked;

    /// <summary>The memory operand is in here, at a multiple of 32: <see cref="ContextOffsets.SiliconMemory"/>.</summary>
    public OperandBytes Memory;

    [InlineArray(64)]
    public struct OperandBytes
    {
        private byte _first;
    }
}
