using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

public abstract class EngineTests(string engine)
{
    [Fact]
    public void Loop_SumsAndLeavesByHypercall()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            Label loop = a.CreateLabel();
            a.xor(eax, eax);
            a.mov(ecx, 1000);
            a.Label(ref loop);
            a.add(rax, rcx);
            a.mov(__[TestVcpu.DataAddress], rax);
            a.dec(rcx);
            a.jne(loop);
            a.push(rax);
            a.pop(rbx);
            a.syscall();
        });
        CpuExit exit = vcpu.Run();
        Assert.Equal(CpuExitReason.Hypercall, exit.Reason);
        Assert.Equal(500500ul, vcpu.State.Registers.Gpr[3]);
        Assert.Equal(500500ul, BitConverter.ToUInt64(vcpu.At(TestVcpu.DataAddress)));
        if (vcpu.Engine is Interpreter)
            Assert.Equal(4005ul, vcpu.Engine.InstructionsRetired);
    }

    [Fact]
    public void Store_ToUnmappedPage_FaultsAtItsInstruction()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Map(20, true, present: false);
        vcpu.Assemble(a =>
        {
            a.mov(eax, (uint)TestVcpu.Base + (20 * 4096) + 8);
            a.mov(__qword_ptr[rax], 1);
            a.syscall();
        });
        CpuExit exit = vcpu.Run();
        Assert.Equal(CpuExit.Exception(14, 6, TestVcpu.Base + (20 * 4096) + 8), exit);
        Assert.Equal(TestVcpu.CodeAddress + 5, vcpu.State.Registers.Rip);
    }

    [Fact]
    public void Store_IntoTheRunningBlock_IsSeenByTheNextInstruction()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            Label patched = a.CreateLabel();
            a.lea(rdi, __[patched]);
            a.mov(__byte_ptr[rdi + 1], 7);
            a.Label(ref patched);
            a.mov(eax, 1);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(7ul, vcpu.State.Registers.Gpr[0]);
    }

    [Fact]
    public void Budget_EndsARunningLoop()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            Label self = a.CreateLabel();
            a.Label(ref self);
            a.jmp(self);
        });
        Assert.Equal(CpuExitReason.BudgetSpent, vcpu.Run(5000).Reason);
        vcpu.State.Kick();
        Assert.Equal(CpuExitReason.Request, vcpu.Run(5000).Reason);
        Assert.True(vcpu.State.TakeKick());
    }
}
