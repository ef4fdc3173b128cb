using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>The 16 general registers in encoding order: rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15.</summary>
[InlineArray(16)]
public struct GeneralRegisters
{
    private ulong _rax;
}

/// <summary>xmm0 to xmm15.</summary>
[InlineArray(16)]
public struct XmmRegisters
{
    private Vector128<byte> _xmm0;
}

/// <summary>The eight x87 registers, physical order (R0 to R7, not ST). MMX registers are their significands.</summary>
[InlineArray(8)]
public struct X87Registers
{
    private Float80 _r0;
}

/// <summary>An x87 extended-precision number as it lies in a register. <b>Units</b>: significand with explicit integer bit; sign and 15-bit exponent biased by 16383.</summary>
public struct Float80
{
    public ulong Significand;
    public ushort SignExponent;
}

/// <summary>
/// A vCPU's registers as one block. Blittable, with fixed offsets: engines address registers in it by byte offset.
/// </summary>
/// <remarks>
/// Offsets 0 to 127 are the general registers; <see cref="Zero"/> follows, so that "no base" and "no index" are registers too.
/// rflags holds every flag when no engine runs; bits the guest cannot have are never set.
/// </remarks>
public struct RegisterFile
{
    public GeneralRegisters Gpr;

    /// <summary>Always 0: the register that an absent base or index reads.</summary>
    public ulong Zero;

    /// <summary>Scratch of engines, without meaning between two instructions.</summary>
    public ulong Temp;

    /// <summary>Base of FS in the current mode.</summary>
    public ulong FsBase;

    /// <summary>Base of GS in the current mode.</summary>
    public ulong GsBase;

    public ulong Rip;
    public ulong Rflags;

    public ushort Es;
    public ushort Cs;
    public ushort Ss;
    public ushort Ds;
    public ushort Fs;
    public ushort Gs;

    public uint Mxcsr;
    public XmmRegisters Xmm;

    /// <summary>x87 control word.</summary>
    public ushort Fcw;

    /// <summary>x87 status word, TOP included.</summary>
    public ushort Fsw;

    /// <summary>x87 full tag word abridged as FXSAVE has it: bit n set means physical register n is not empty.</summary>
    public byte Ftw;

    /// <summary>Opcode, instruction and operand pointer of the last x87 instruction.</summary>
    public ushort Fop;
    public ulong Fip;
    public ulong Fdp;

    public X87Registers X87;

    /// <summary>Bits 255 to 128 of ymm0 to ymm15; all zero unless <see cref="UpperHalvesInUse"/>.</summary>
    public XmmRegisters UpperHalves;

    /// <summary>1: <see cref="UpperHalves"/> may be other than zero; else 0.</summary>
    public uint UpperHalvesInUse;
}
