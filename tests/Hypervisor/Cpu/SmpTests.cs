using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>Two vCPUs on two threads over the same memory: what LOCK promises must hold.</summary>
public abstract class SmpTests(string engine)
{
    private const int Rounds = 100_000;
    private const ulong Counter = TestVcpu.DataAddress, Spinlock = TestVcpu.DataAddress + 64;

    public static TheoryData<string> Programs => ["xadd", "inc", "bts", "xchg", "cmpxchg", "cmpxchg8b", "cmpxchg16b"];

    [Theory]
    [MemberData(nameof(Programs))]
    public void Increments_OfTwoVcpus_AreNeverLost(string name)
    {
        using var first = new TestVcpu(engine);
        using var second = new TestVcpu(first);
        Action<Assembler> program = ProgramOf(name);
        first.Assemble(program);
        second.Assemble(program, TestVcpu.Base + (8 * 4096));
        var other = new Thread(() => Finish(second));
        other.Start();
        Finish(first);
        other.Join();
        Assert.Equal(2ul * Rounds, BitConverter.ToUInt64(first.At(Counter)));
        if (name == "cmpxchg16b")
            Assert.Equal(2ul * Rounds, BitConverter.ToUInt64(first.At(Counter + 8)));
    }

    private static void Finish(TestVcpu vcpu)
    {
        CpuExit exit;
        do
            exit = vcpu.Run(50_000);
        while (exit.Reason == CpuExitReason.BudgetSpent);
        Assert.Equal(CpuExitReason.Hypercall, exit.Reason);
    }

    private static Action<Assembler> ProgramOf(string name) => a =>
    {
        Label loop = a.CreateLabel();
        a.mov(r12d, Rounds);
        a.mov(rsi, Counter);
        a.Label(ref loop);
        a.nop();
        switch (name)
        {
            case "xadd":
                a.mov(eax, 1);
                a.@lock.xadd(__qword_ptr[rsi], rax);
                break;
            case "inc":
                a.@lock.inc(__qword_ptr[rsi]);
                break;
            case "cmpxchg":
                CompareExchange(a);
                break;
            case "cmpxchg8b":
                CompareExchangePair(a, wide: false);
                break;
            case "cmpxchg16b":
                CompareExchangePair(a, wide: true);
                break;
            default:
                Locked(a, name);
                break;
        }

        a.dec(r12d);
        a.jne(loop);
        a.syscall();
    };

    private static void CompareExchange(Assembler a)
    {
        Label again = a.CreateLabel();
        a.mov(rax, __[rsi]);
        a.Label(ref again);
        a.lea(rbx, __[rax + 1]);
        a.@lock.cmpxchg(__qword_ptr[rsi], rbx);
        a.jne(again);
    }

    private static void CompareExchangePair(Assembler a, bool wide)
    {
        Label again = a.CreateLabel();
        a.mov(rax, __[rsi]);
        a.mov(rdx, __[rsi + 8]);
        if (!wide)
            a.xor(edx, edx);
        a.Label(ref again);
        a.lea(rbx, __[rax + 1]);
        if (wide)
        {
            a.lea(rcx, __[rdx + 1]);
            a.@lock.cmpxchg16b(__xmmword_ptr[rsi]);
        }
        else
        {
            a.mov(ecx, edx);
            a.@lock.cmpxchg8b(__qword_ptr[rsi]);
        }

        a.jne(again);
    }

    /// <summary>A plain increment under a spin lock that XCHG or BTS takes and a plain store gives back.</summary>
    private static void Locked(Assembler a, string name)
    {
        Label spin = a.CreateLabel(), taken = a.CreateLabel();
        a.Label(ref spin);
        if (name == "bts")
        {
            a.@lock.bts(__dword_ptr[Spinlock], 5);
            a.jae(taken);
        }
        else
        {
            a.mov(eax, 1);
            a.xchg(__dword_ptr[Spinlock], eax);
            a.test(eax, eax);
            a.je(taken);
        }

        a.pause();
        a.jmp(spin);
        a.Label(ref taken);
        a.inc(__qword_ptr[rsi]);
        a.mov(__dword_ptr[Spinlock], 0);
    }
}
