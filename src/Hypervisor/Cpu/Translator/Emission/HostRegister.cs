namespace Xen.Cpu;

/// <summary>The host's general registers, by their numbers in instructions.</summary>
internal enum HostRegister : byte
{
    Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15,
    None = 0xFF,
}

/// <summary>
/// Where the guest's general registers are while emitted code runs. All are in the host register of the same name, but:
/// <code>
/// guest rsp               host r15      (the host's rsp stays a stack: signals run on it)
/// guest r10 r11 r14 r15   their slots in the vCPU's context
/// host  r10 r11           scratch within one guest instruction
/// host  r14               the delta of a group of accesses
/// </code>
/// </summary>
internal static class RegisterMap
{
    public const int GuestRsp = 4;
    public const HostRegister Scratch = HostRegister.R10;
    public const HostRegister Scratch2 = HostRegister.R11;
    public const HostRegister Delta = HostRegister.R14;
    public const HostRegister Stack = HostRegister.R15;

    /// <summary>Whether a guest register is in its slot only.</summary>
    public static bool IsDisplaced(int guest) => guest is 10 or 11 or 14 or 15;

    /// <summary>The host register of a guest register that is not displaced.</summary>
    public static HostRegister HostOf(int guest) => guest == GuestRsp ? Stack : (HostRegister)guest;
}

/// <summary>A memory operand of an emitted instruction.</summary>
/// <param name="Base">Register, or none.</param>
/// <param name="Index">Register, or none.</param>
/// <param name="Scale">Logarithm of the index's factor.</param>
/// <param name="Displacement">Constant part.</param>
/// <param name="InContext">Relative to the vCPU's context (gs).</param>
internal readonly record struct HostAddress(HostRegister Base, HostRegister Index, byte Scale, int Displacement, bool InContext = false)
{
    public static HostAddress Context(int offset) => new(HostRegister.None, HostRegister.None, 0, offset, true);

    public static HostAddress Context(int offset, HostRegister index, byte scale = 0) => new(HostRegister.None, index, scale, offset, true);

    public static HostAddress At(HostRegister register, int displacement = 0) => new(register, HostRegister.None, 0, displacement);
}

/// <summary>Conditions as instructions encode them.</summary>
internal enum HostCondition : byte
{
    Overflow, NotOverflow, Below, AboveOrEqual, Equal, NotEqual, BelowOrEqual, Above, Sign, NotSign, Parity, NotParity, Less, GreaterOrEqual, LessOrEqual, Greater,
}
