using System.Runtime.InteropServices;
using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Where registers lie in <see cref="RegisterFile"/>. <b>Units</b>: bytes.</summary>
internal static class RegisterOffsets
{
    // SAFETY: RegisterFile is blittable, so its marshalled and managed layouts agree (a test compares them with references).
    public static readonly ushort Zero = Field(nameof(RegisterFile.Zero));
    public static readonly ushort Temp = Field(nameof(RegisterFile.Temp));
    public static readonly ushort FsBase = Field(nameof(RegisterFile.FsBase));
    public static readonly ushort GsBase = Field(nameof(RegisterFile.GsBase));
    public static readonly ushort Es = Field(nameof(RegisterFile.Es));
    public static readonly ushort Fs = Field(nameof(RegisterFile.Fs));
    public static readonly ushort Xmm = Field(nameof(RegisterFile.Xmm));
    public static readonly ushort UpperHalves = Field(nameof(RegisterFile.UpperHalves));
    public static readonly ushort X87 = Field(nameof(RegisterFile.X87));

    public const ushort Rax = 0, Rcx = 8, Rdx = 16, Rbx = 24, Rsp = 32, Rbp = 40, Rsi = 48, Rdi = 56;

    /// <summary>The offset of a general register of any size (ah, ch, dh and bh are at offset 1 of theirs), of an xmm, ymm (its lower half), mm or segment register.</summary>
    public static ushort Of(Register register) => register switch
    {
        >= Register.AL and <= Register.BL => (ushort)((register - Register.AL) * 8),
        >= Register.AH and <= Register.BH => (ushort)(((register - Register.AH) * 8) + 1),
        >= Register.SPL and <= Register.R15L => (ushort)((register - Register.SPL + 4) * 8),
        >= Register.AX and <= Register.R15W => (ushort)((register - Register.AX) * 8),
        >= Register.EAX and <= Register.R15D => (ushort)((register - Register.EAX) * 8),
        >= Register.RAX and <= Register.R15 => (ushort)((register - Register.RAX) * 8),
        >= Register.XMM0 and <= Register.XMM15 => (ushort)(Xmm + ((register - Register.XMM0) * 16)),
        >= Register.YMM0 and <= Register.YMM15 => (ushort)(Xmm + ((register - Register.YMM0) * 16)),
        >= Register.ES and <= Register.GS => (ushort)(Es + ((register - Register.ES) * 2)),
        >= Register.MM0 and <= Register.MM7 => (ushort)(X87 + ((register - Register.MM0) * 16)),
        _ => throw new ArgumentOutOfRangeException(nameof(register), register, "not a general, vector or segment register"),
    };

    private static ushort Field(string name) => (ushort)Marshal.OffsetOf<RegisterFile>(name);
}
