using System.Runtime.Intrinsics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>SSE and MMX instructions: one law per test. What they compute is compared with the host's processor elsewhere.</summary>
public abstract class VectorTests(string engine)
{
    private const uint Data = (uint)TestVcpu.DataAddress;

    [Fact]
    public void StringLength_ByCompareAndMask()
    {
        using var vcpu = new TestVcpu(engine);
        "hello, world\0........"u8.CopyTo(vcpu.At(TestVcpu.DataAddress));
        vcpu.Assemble(a =>
        {
            a.pxor(xmm0, xmm0);
            a.movdqu(xmm1, __[Data]);
            a.pcmpeqb(xmm1, xmm0);
            a.pmovmskb(eax, xmm1);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(1ul << 12, vcpu.State.Registers.Gpr[0]);
    }

    [Fact]
    public void Doubles_AddMultiplyConvert()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            a.mov(eax, 7);
            a.cvtsi2sd(xmm0, eax);
            a.mov(ecx, 3);
            a.cvtsi2sd(xmm1, ecx);
            a.divsd(xmm0, xmm1);
            a.mulsd(xmm0, xmm1);
            a.addsd(xmm0, xmm1);
            a.cvttsd2si(rbx, xmm0);
            a.movq(rdx, xmm0);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(10ul, vcpu.State.Registers.Gpr[3]);
        Assert.Equal(BitConverter.DoubleToUInt64Bits((7.0 / 3 * 3) + 3), vcpu.State.Registers.Gpr[2]);
        Assert.Equal(0x1FA0u, vcpu.State.Registers.Mxcsr);
    }

    [Fact]
    public void AlignedMove_OffItsBoundary_RaisesGeneralProtection()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            a.movups(xmm0, __[Data + 8]);
            a.movaps(xmm0, __[Data + 8]);
        });
        Assert.Equal(CpuExit.Exception(13), vcpu.Run());
        Assert.Equal(TestVcpu.CodeAddress + 8, vcpu.State.Registers.Rip);
    }

    [Fact]
    public void TaskSwitched_RaisesDeviceNotAvailable_AtTheFirstVectorInstruction()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.TaskSwitched = true;
        vcpu.Assemble(a =>
        {
            a.mov(eax, 5);
            a.xorps(xmm0, xmm0);
            a.syscall();
        });
        Assert.Equal(CpuExit.Exception(7), vcpu.Run());
        Assert.Equal(TestVcpu.CodeAddress + 5, vcpu.State.Registers.Rip);
        vcpu.State.TaskSwitched = false;
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
    }

    [Fact]
    public void UnmaskedException_RaisesSimdFault_AndLeavesTheRegister()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Mxcsr = 0x1F80 & ~0x200u;
        vcpu.State.Registers.Xmm[0] = Vector128.Create(1.0, 5.0).AsByte();
        vcpu.Assemble(a => a.divsd(xmm0, xmm1));
        Assert.Equal(CpuExit.Exception(19), vcpu.Run());
        Assert.Equal(Vector128.Create(1.0, 5.0).AsByte(), vcpu.State.Registers.Xmm[0]);
        Assert.Equal(4u, vcpu.State.Registers.Mxcsr & 63);
        Assert.Equal(TestVcpu.CodeAddress, vcpu.State.Registers.Rip);
    }

    [Theory]
    [InlineData(0u, 0x3FD5_5555_5555_5555ul)]
    [InlineData(1u, 0x3FD5_5555_5555_5555ul)]
    [InlineData(2u, 0x3FD5_5555_5555_5556ul)]
    [InlineData(3u, 0x3FD5_5555_5555_5555ul)]
    public void Division_RoundsAsMxcsrSays(uint rounding, ulong expected)
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Mxcsr = 0x1F80 | (rounding << 13);
        vcpu.State.Registers.Xmm[0] = Vector128.Create(1.0, 0.0).AsByte();
        vcpu.State.Registers.Xmm[1] = Vector128.Create(3.0, 0.0).AsByte();
        vcpu.Assemble(a =>
        {
            a.divsd(xmm0, xmm1);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(expected, vcpu.State.Registers.Xmm[0].AsUInt64().ToScalar());
    }

    [Fact]
    public void FxSave_ThenFxRestore_BringsEverythingBack()
    {
        using var vcpu = new TestVcpu(engine);
        for (int i = 0; i < 16; i++)
            vcpu.State.Registers.Xmm[i] = Vector128.Create((byte)i);
        vcpu.Assemble(a =>
        {
            a.mov(rax, 0x1122334455667788);
            a.movq(mm3, rax);
            a.fxsave64(__[Data]);
            a.emms();
            a.xorps(xmm7, xmm7);
            a.pxor(mm3, mm3);
            a.fxrstor64(__[Data]);
            a.movq(rbx, mm3);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(0x1122334455667788ul, vcpu.State.Registers.Gpr[3]);
        Assert.Equal(Vector128.Create((byte)7), vcpu.State.Registers.Xmm[7]);
        Assert.Equal(0xFF, vcpu.State.Registers.Ftw);
        Assert.Equal(0x037F, BitConverter.ToUInt16(vcpu.At(TestVcpu.DataAddress)));
        Assert.Equal(0x1F80u, BitConverter.ToUInt32(vcpu.At(TestVcpu.DataAddress + 24)));
    }

    [Fact]
    public void LoadMxcsr_WithReservedBits_RaisesGeneralProtection()
    {
        using var vcpu = new TestVcpu(engine);
        BitConverter.TryWriteBytes(vcpu.At(TestVcpu.DataAddress), 0x11F80u);
        vcpu.Assemble(a => a.ldmxcsr(__[Data]));
        Assert.Equal(CpuExit.Exception(13), vcpu.Run());
        Assert.Equal(0x1F80u, vcpu.State.Registers.Mxcsr);
    }

    [Fact]
    public void MaskedStore_WritesMarkedBytesOnly()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Gpr[7] = TestVcpu.DataAddress;
        vcpu.State.Registers.Xmm[0] = Vector128.Create((byte)0xAB);
        vcpu.State.Registers.Xmm[1] = Vector128<byte>.Zero.WithElement(3, (byte)0x80).WithElement(9, (byte)0xFF).WithElement(10, (byte)0x7F);
        vcpu.Assemble(a =>
        {
            a.maskmovdqu(xmm0, xmm1);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal("0000 00AB 0000 0000 00AB 0000 0000 0000".Replace(" ", ""), Convert.ToHexString(vcpu.At(TestVcpu.DataAddress)[..16]));
    }

    [Fact]
    public void Compare_WithNaN_IsUnordered_AndOnlyComisdIsInvalid()
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.State.Registers.Xmm[1] = Vector128.Create(double.NaN, 0).AsByte();
        vcpu.Assemble(a =>
        {
            a.ucomisd(xmm0, xmm1);
            a.setp(al);
            a.stmxcsr(__dword_ptr[Data]);
            a.comisd(xmm0, xmm1);
            a.setb(bl);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(1ul, vcpu.State.Registers.Gpr[0]);
        Assert.Equal(1ul, vcpu.State.Registers.Gpr[3]);
        Assert.Equal(0x1F80u, BitConverter.ToUInt32(vcpu.At(TestVcpu.DataAddress)));
        Assert.Equal(0x1F81u, vcpu.State.Registers.Mxcsr);
    }
}
