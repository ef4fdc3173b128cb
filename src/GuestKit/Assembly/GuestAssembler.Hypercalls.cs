using Iced.Intel;
using Xen.Abi;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.GuestKit.Assembly;

/// <summary>Hypercalls. <b>Source</b>: arch-x86/xen-x86_64.h (calling convention), sched.h.</summary>
public sealed partial class GuestAssembler
{
    private const int HypercallStubSize = 32;

    /// <summary>Issues a hypercall whose arguments the code has put into rdi, rsi, rdx, r10, r8. The result comes in rax.</summary>
    public void Hypercall(HypercallNumber number) => Hypercall((uint)number);

    /// <summary>Issues a hypercall by number, lawful or not, with the arguments already in registers.</summary>
    public void Hypercall(uint number)
    {
        if (_hypercallPage is { } page && number < Page.Size / HypercallStubSize)
        {
            Code.mov(rax, page + (number * HypercallStubSize));
            Code.call(rax);
            return;
        }

        Code.mov(eax, number);
        Code.syscall();
    }

    /// <summary>Issues a hypercall with constant arguments, at most five. The result comes in rax.</summary>
    public void Hypercall(HypercallNumber number, params ReadOnlySpan<ulong> arguments)
    {
        ReadOnlySpan<AssemblerRegister64> registers = [rdi, rsi, rdx, r10, r8];
        if (arguments.Length > registers.Length)
        {
            throw new ArgumentException("A hypercall has at most five arguments.", nameof(arguments));
        }

        for (var i = 0; i < arguments.Length; i++)
        {
            Code.mov(registers[i], arguments[i]);
        }

        Hypercall(number);
    }

    /// <summary>Ends the domain.</summary>
    public void ShutDown(ShutdownReason reason)
    {
        var argument = Words((uint)reason);
        Hypercall(HypercallNumber.SchedOp, (ulong)SchedOperation.Shutdown, argument);
        Code.ud2();
    }

    /// <summary>Ends the domain as one that powers off.</summary>
    public void PowerOff() => ShutDown(ShutdownReason.Poweroff);

    /// <summary>Gives the processor away.</summary>
    public void Yield() => Hypercall(HypercallNumber.SchedOp, (ulong)SchedOperation.Yield, 0);

    /// <summary>Waits for an event; unmasks events.</summary>
    public void Block() => Hypercall(HypercallNumber.SchedOp, (ulong)SchedOperation.Block, 0);

    /// <summary>
    /// Checks rax (the last hypercall's result): if it is another value, says so on the console with the value and crashes the
    /// domain.
    /// </summary>
    public void Expect(long result, string what)
    {
        var passed = Code.CreateLabel();
        Code.mov(rcx, result);
        Code.cmp(rax, rcx);
        Code.je(passed);
        FailWithRax(what);
        Code.Label(ref passed);
    }

    /// <summary>Says on the console what failed and the value of rax, and crashes the domain.</summary>
    public void FailWithRax(string what)
    {
        Code.push(rax);
        Print("FAIL " + what + ": ");
        Code.pop(rdi);
        PrintHexOfRdi();
        Print("\n");
        ShutDown(ShutdownReason.Crash);
    }
}
