using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>Code that is written while it is used: through its own address, through another mapping of its frame, by another vCPU, by a string instruction.</summary>
public abstract class SelfModifyingCodeTests(string engine)
{
    private const ulong Function = TestVcpu.Base + (4 * 4096);
    private const int AliasPage = 40;

    private static void LoadFunction(TestVcpu vcpu) => vcpu.Assemble(
        a =>
        {
            a.mov(eax, 1);
            a.ret();
        },
        Function);

    [Theory]
    [InlineData(Function + 1)]
    [InlineData(TestVcpu.Base + (AliasPage * 4096) + 1)]
    public void Store_IntoAFunctionThatHasRun_IsSeenByTheNextCall(ulong address)
    {
        using var vcpu = new TestVcpu(engine);
        LoadFunction(vcpu);
        vcpu.Alias(4, AliasPage);
        vcpu.Assemble(a =>
        {
            Label loop = a.CreateLabel();
            a.xor(ebx, ebx);
            a.mov(ecx, 100);
            a.Label(ref loop);
            a.call(Function);
            a.add(ebx, eax);
            a.mov(__byte_ptr[address], cl);
            a.dec(ecx);
            a.jne(loop);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);

        // 1, then what each round but the last has stored: 100 down to 2.
        Assert.Equal(5050ul, vcpu.State.Registers.Gpr[3]);
    }

    [Fact]
    public void Store_ByAnotherVcpu_IsSeen()
    {
        using var first = new TestVcpu(engine);
        using var second = new TestVcpu(first);
        LoadFunction(first);
        first.Assemble(a =>
        {
            Label loop = a.CreateLabel();
            a.Label(ref loop);
            a.call(Function);
            a.cmp(eax, 2);
            a.jne(loop);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.BudgetSpent, first.Run(10_000).Reason);
        second.Assemble(
            a =>
            {
                a.mov(__byte_ptr[Function + 1], 2);
                a.syscall();
            },
            TestVcpu.Base + (8 * 4096));
        Assert.Equal(CpuExitReason.Hypercall, second.Run().Reason);
        Assert.Equal(CpuExitReason.Hypercall, first.Run(10_000).Reason);
    }

    [Fact]
    public void Decoding_TakesWriteAccessFromOtherVcpus()
    {
        using var first = new TestVcpu(engine);
        using var second = new TestVcpu(first);
        LoadFunction(first);

        // The writer has the page in its TLB, writable, before anybody decodes it.
        second.Assemble(
            a =>
            {
                a.mov(__byte_ptr[Function + 1], 3);
                a.syscall();
                a.mov(__byte_ptr[Function + 1], 2);
                a.syscall();
            },
            TestVcpu.Base + (8 * 4096));
        second.Run();
        first.Assemble(a =>
        {
            a.call(Function);
            a.mov(ebx, eax);
            a.syscall();
            a.call(Function);
            a.syscall();
        });
        first.Run();
        second.Run();
        first.Run();
        Assert.Equal(3ul, first.State.Registers.Gpr[3]);
        Assert.Equal(2ul, first.State.Registers.Gpr[0]);
    }

    [Fact]
    public void RepStos_OverTheCodeBehindIt_IsExecutedAsWritten()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Gpr[1] = 16;
        vcpu.State.Registers.Gpr[0] = 0x90;
        vcpu.Assemble(a =>
        {
            Label behind = a.CreateLabel();
            a.lea(rdi, __[behind]);
            a.rep.stosb();
            a.Label(ref behind);
            for (int i = 0; i < 8; i++)
                a.ud2();
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
    }

    [Fact]
    public void Instruction_AcrossTwoPages_IsDecodedAnewWhenItsTailChanges()
    {
        using var vcpu = new TestVcpu(engine);
        const ulong Edge = TestVcpu.Base + (5 * 4096) - 2;
        vcpu.Assemble(
            a =>
            {
                a.mov(eax, 0x0101);
                a.ret();
            },
            Edge);
        vcpu.Assemble(a =>
        {
            a.call(Edge);
            a.mov(ebx, eax);
            a.mov(__byte_ptr[Edge + 2], 7);
            a.call(Edge);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(0x0101ul, vcpu.State.Registers.Gpr[3]);
        Assert.Equal(0x0701ul, vcpu.State.Registers.Gpr[0]);
    }
}
