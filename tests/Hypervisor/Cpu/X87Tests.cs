using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>The x87: its stack, its exceptions, its state. What it computes is compared with the host's processor elsewhere.</summary>
public abstract class X87Tests(string engine)
{
    private const uint Data = (uint)TestVcpu.DataAddress;

    [Fact]
    public void Division_KeepsSixtyFourDigits()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            a.fninit();
            a.mov(__dword_ptr[Data], 3);
            a.fld1();
            a.fidiv(__dword_ptr[Data]);
            a.fstp(__tbyte_ptr[Data]);
            a.fnstsw(ax);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(0xAAAA_AAAA_AAAA_AAABul, BitConverter.ToUInt64(vcpu.At(TestVcpu.DataAddress)));
        Assert.Equal(0x3FFD, BitConverter.ToUInt16(vcpu.At(TestVcpu.DataAddress + 8)));
        Assert.Equal(0x20, (int)(ushort)vcpu.State.Registers.Gpr[0]);
    }

    [Fact]
    public void NinthPush_IsAStackFault_AndLeavesTheIndefiniteNaN()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            for (int i = 0; i < 9; i++)
                a.fldz();
            a.fnstsw(ax);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(0x3A41, (int)(ushort)vcpu.State.Registers.Gpr[0]);
        Assert.Equal(0xC000_0000_0000_0000ul, vcpu.State.Registers.X87[7].Significand);
        Assert.Equal(0xFFFF, vcpu.State.Registers.X87[7].SignExponent);
    }

    [Fact]
    public void UnmaskedException_IsRaisedByTheNextWaitingInstruction()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            a.mov(__word_ptr[Data], 0x37B);
            a.fldcw(__[Data]);
            a.fld1();
            a.fldz();
            a.fdivp(st1, st0);
            a.fnstsw(ax);
            a.fnclex();
            a.fld1();
            a.fldz();
            a.fdivp(st1, st0);
            a.wait();
        });
        CpuExit exit = vcpu.Run();
        Assert.Equal(CpuExit.Exception(16), exit);
        Assert.Equal(0x8084, (int)vcpu.State.Registers.Gpr[0] & 0x80FF);
        Assert.Equal(0x9B, vcpu.At(vcpu.State.Registers.Rip)[0]);
    }

    [Fact]
    public void TaskSwitched_RaisesDeviceNotAvailable()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.TaskSwitched = true;
        vcpu.Assemble(a => a.fninit());
        Assert.Equal(CpuExit.Exception(7), vcpu.Run());
    }

    [Fact]
    public void FxSave_HasRegistersInStackOrder()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            a.fldz();
            a.fld1();
            a.fxsave(__[Data]);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(1ul << 63, BitConverter.ToUInt64(vcpu.At(TestVcpu.DataAddress + 32)));
        Assert.Equal(0ul, BitConverter.ToUInt64(vcpu.At(TestVcpu.DataAddress + 48)));
        Assert.Equal(0xC0, vcpu.At(TestVcpu.DataAddress + 4)[0]);
        Assert.Equal(TestVcpu.CodeAddress + 2, BitConverter.ToUInt64(vcpu.At(TestVcpu.DataAddress + 8)));
    }

    [Fact]
    public void Store_ThatFaults_ChangesNothing()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Map(20, writable: false);
        vcpu.State.Registers.Gpr[0] = TestVcpu.Base + (20 * 4096) + 4090;
        vcpu.Assemble(a =>
        {
            a.fldpi();
            a.fstp(__qword_ptr[rax]);
        });
        CpuExit exit = vcpu.Run();
        Assert.Equal(14, exit.Vector);
        Assert.Equal(0x3800, vcpu.State.Registers.Fsw);
        Assert.Equal(0x80, vcpu.State.Registers.Ftw);
    }

    [Fact]
    public void PartialRemainder_GoesOnUntilC2IsClear()
    {
        using var vcpu = new TestVcpu(engine);
        BitConverter.TryWriteBytes(vcpu.At(TestVcpu.DataAddress), 1e300);
        BitConverter.TryWriteBytes(vcpu.At(TestVcpu.DataAddress + 8), 7.25);
        vcpu.Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.fld(__qword_ptr[Data + 8]);
            a.fld(__qword_ptr[Data]);
            a.Label(ref again);
            a.fprem();
            a.fnstsw(ax);
            a.test(ah, 4);
            a.jne(again);
            a.fstp(__qword_ptr[Data]);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(1e300 % 7.25, BitConverter.ToDouble(vcpu.At(TestVcpu.DataAddress)));
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(-2.25)]
    [InlineData(1e9)]
    public void Sine_IsTheMathematicalOne(double angle)
    {
        using var vcpu = new TestVcpu(engine);
        BitConverter.TryWriteBytes(vcpu.At(TestVcpu.DataAddress), angle);
        vcpu.Assemble(a =>
        {
            a.fld(__qword_ptr[Data]);
            a.fsin();
            a.fstp(__qword_ptr[Data]);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(Math.Sin(angle), BitConverter.ToDouble(vcpu.At(TestVcpu.DataAddress)), 1e-10);
    }
}
