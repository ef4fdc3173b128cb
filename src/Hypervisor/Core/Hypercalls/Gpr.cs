namespace Xen.Core;

/// <summary>Indices of general registers in <see cref="Xen.Cpu.RegisterFile.Gpr"/>: the processor's encoding order.</summary>
internal static class Gpr
{
    public const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsp = 4, Rbp = 5, Rsi = 6, Rdi = 7;
    public const int R8 = 8, R9 = 9, R10 = 10, R11 = 11;
}
