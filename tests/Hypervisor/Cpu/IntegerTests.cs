using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>Integer instructions with what a reader can work out by hand; the processor itself is the judge in the silicon tests.</summary>
public abstract class IntegerTests(string engine)
{
    private const ulong ArithmeticButAdjust = 0x8C5;

    [Theory]
    [InlineData(1, 0x81, 0x02, 0x801)]
    [InlineData(1, 0x41, 0x82, 0x884)]
    [InlineData(32, 0x81, 0x81, 0x000)]
    public void Shl_OfAByte_SetsFlagsFromTheLastBitOut(byte count, byte value, byte result, ulong flags)
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Gpr[0] = value;
        vcpu.Assemble(a =>
        {
            a.shl(al, count);
            a.syscall();
        });
        vcpu.Run();
        Assert.Equal(result, vcpu.State.Registers.Gpr[0]);
        Assert.Equal(flags, vcpu.State.Registers.Rflags & ArithmeticButAdjust);
    }

    [Fact]
    public void Div_By128BitDividend_GivesQuotientAndRemainder()
    {
        using var vcpu = new TestVcpu(engine);
        UInt128 dividend = new(0x1234_5678_9ABC_DEF0, 0xFEDC_BA98_7654_3210);
        ulong divisor = 0x2222_2222_2222_2223;
        vcpu.State.Registers.Gpr[0] = (ulong)dividend;
        vcpu.State.Registers.Gpr[2] = (ulong)(dividend >> 64);
        vcpu.State.Registers.Gpr[3] = divisor;
        vcpu.Assemble(a =>
        {
            a.div(rbx);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal((ulong)(dividend / divisor), vcpu.State.Registers.Gpr[0]);
        Assert.Equal((ulong)(dividend % divisor), vcpu.State.Registers.Gpr[2]);
    }

    [Fact]
    public void Div_ThatOverflows_RaisesDivideErrorAndChangesNothing()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Gpr[0] = 5;
        vcpu.State.Registers.Gpr[2] = 7;
        vcpu.State.Registers.Gpr[3] = 7;
        vcpu.Assemble(a =>
        {
            a.nop();
            a.div(rbx);
        });
        Assert.Equal(CpuExit.Exception(0), vcpu.Run());
        Assert.Equal(TestVcpu.CodeAddress + 1, vcpu.State.Registers.Rip);
        Assert.Equal(5ul, vcpu.State.Registers.Gpr[0]);
        Assert.Equal(7ul, vcpu.State.Registers.Gpr[2]);
    }

    [Fact]
    public void Bts_WithARegister_ReachesBeyondItsOperand()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Gpr[0] = unchecked((ulong)-9L);
        vcpu.Assemble(a =>
        {
            a.bts(__qword_ptr[TestVcpu.DataAddress + 8], rax);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(0x80, vcpu.At(TestVcpu.DataAddress)[6]);
    }

    [Fact]
    public void CompareExchange16_SwapsThePairAndReloadsItWhenItDiffers()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Gpr[3] = 11;
        vcpu.State.Registers.Gpr[1] = 22;
        vcpu.State.Registers.Gpr[6] = TestVcpu.DataAddress;
        vcpu.Assemble(a =>
        {
            a.@lock.cmpxchg16b(__xmmword_ptr[rsi]);
            a.sete(r8b);
            a.@lock.cmpxchg16b(__xmmword_ptr[rsi]);
            a.sete(r9b);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(1ul, vcpu.State.Registers.Gpr[8]);
        Assert.Equal(0ul, vcpu.State.Registers.Gpr[9]);
        Assert.Equal(11ul, vcpu.State.Registers.Gpr[0]);
        Assert.Equal(22ul, vcpu.State.Registers.Gpr[2]);
    }

    [Theory]
    [InlineData(60)]
    [InlineData(4093)]
    public void LockedAdd_AcrossLinesOrPages_ChangesMemoryAndFlags(int offset)
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Gpr[0] = 3;
        vcpu.State.Registers.Gpr[6] = TestVcpu.DataAddress + (ulong)offset;
        vcpu.Assemble(a =>
        {
            a.mov(__qword_ptr[rsi], -2);
            a.@lock.xadd(__qword_ptr[rsi], rax);
            a.setb(cl);
            a.@lock.dec(__qword_ptr[rsi]);
            a.mov(rbx, __qword_ptr[rsi]);
            a.sete(dl);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(ulong.MaxValue - 1, vcpu.State.Registers.Gpr[0]);
        Assert.Equal(1ul, vcpu.State.Registers.Gpr[1]);
        Assert.Equal(1ul, vcpu.State.Registers.Gpr[2]);
        Assert.Equal(0ul, vcpu.State.Registers.Gpr[3]);
    }

    [Fact]
    public void RepMovs_AcrossAnUnmappedPage_StopsExactlyThere()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Map(22, true, present: false);
        ulong end = TestVcpu.Base + (22 * 4096);
        vcpu.State.Registers.Gpr[1] = 0x3000;
        vcpu.State.Registers.Gpr[6] = TestVcpu.Base + (30 * 4096) + 5;
        vcpu.State.Registers.Gpr[7] = end - 0x1234;
        vcpu.Assemble(a =>
        {
            a.cld();
            a.rep.movsb();
        });
        Assert.Equal(CpuExit.Exception(14, 6, end), vcpu.Run());
        Assert.Equal(TestVcpu.CodeAddress + 1, vcpu.State.Registers.Rip);
        Assert.Equal(0x3000ul - 0x1234, vcpu.State.Registers.Gpr[1]);
        Assert.Equal(end, vcpu.State.Registers.Gpr[7]);
        Assert.Equal(TestVcpu.Base + (30 * 4096) + 5 + 0x1234, vcpu.State.Registers.Gpr[6]);
    }

    [Fact]
    public void RepMovs_OntoItselfALittleHigher_RepeatsThePattern()
    {
        using var vcpu = new TestVcpu(engine);
        "abc"u8.CopyTo(vcpu.At(TestVcpu.DataAddress));
        vcpu.State.Registers.Gpr[1] = 100;
        vcpu.State.Registers.Gpr[6] = TestVcpu.DataAddress;
        vcpu.State.Registers.Gpr[7] = TestVcpu.DataAddress + 3;
        vcpu.Assemble(a =>
        {
            a.rep.movsb();
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        for (int i = 0; i < 103; i++)
            Assert.Equal("abc"[i % 3], (char)vcpu.At(TestVcpu.DataAddress)[i]);
        Assert.Equal(0, vcpu.At(TestVcpu.DataAddress)[103]);
    }

    [Fact]
    public void LoadSegment_TakesTheBaseFromTheGuestsDescriptor()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Descriptors[0x63] = 0x00CF_F300_0000_FFFF | (0x1234ul << 16) | (0x05ul << 56);
        vcpu.State.Registers.Gpr[0] = 0x63;
        vcpu.Assemble(a =>
        {
            a.mov(fs, ax);
            a.mov(ebx, fs);
            a.mov(eax, 0x6B);
            a.mov(gs, ax);
        });
        Assert.Equal(CpuExit.Exception(13, 0x68), vcpu.Run());
        Assert.Equal(0x0500_1234ul, vcpu.State.Registers.FsBase);
        Assert.Equal(0x63ul, vcpu.State.Registers.Gpr[3]);
        Assert.Equal(0ul, vcpu.State.Registers.GsBase);
    }

    [Fact]
    public void PopFlags_LeavesInterruptFlagAndPrivilegeLevel()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            a.push(0x3CD7);
            a.popfq();
            a.pushfq();
            a.pop(rax);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(0xED7ul, vcpu.State.Registers.Gpr[0]);
    }

    [Fact]
    public void TrapFlag_StopsBehindEveryInstructionAndIteration()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Gpr[1] = 2;
        vcpu.State.Registers.Gpr[7] = TestVcpu.DataAddress;
        vcpu.Assemble(a =>
        {
            a.pushfq();
            a.or(__byte_ptr[rsp + 1], 1);
            a.popfq();
            a.nop();
            a.rep.stosb();
            a.syscall();
        });
        ulong start = TestVcpu.CodeAddress;
        Assert.Equal(CpuExit.Exception(1), vcpu.Run());
        Assert.Equal(start + 8, vcpu.State.Registers.Rip);
        Assert.Equal(CpuExit.Exception(1), vcpu.Run());
        Assert.Equal(start + 8, vcpu.State.Registers.Rip);
        Assert.Equal(1ul, vcpu.State.Registers.Gpr[1]);
        Assert.Equal(CpuExit.Exception(1), vcpu.Run());
        Assert.Equal(start + 10, vcpu.State.Registers.Rip);
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
    }

    [Fact]
    public void Iret_LoadsAllFiveAndRefusesTheKernelsRing()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            Label target = a.CreateLabel();
            a.lea(rax, __[target]);
            a.push(0x2B);
            a.push((int)TestVcpu.DataAddress + 64);
            a.push(0x247);
            a.push(0x33);
            a.push(rax);
            a.iretq();
            a.ud2();
            a.Label(ref target);
            a.push(0x10);
            a.push(rax);
            a.db(0x48, 0xCB);
        });
        Assert.Equal(CpuExit.Exception(13, 0x10), vcpu.Run());
        Assert.Equal(TestVcpu.DataAddress + 48, vcpu.State.Registers.Gpr[4]);
        Assert.Equal(0x247ul, vcpu.State.Registers.Rflags);
        Assert.Equal(0x33, vcpu.State.Registers.Cs);
        Assert.Equal(0x2B, vcpu.State.Registers.Ss);
    }
}
