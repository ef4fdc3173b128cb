using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>XSAVE, XSAVEOPT, XRSTOR, XGETBV. On hosts without AVX guests do not have them.</summary>
public abstract class XsaveTests(string engine)
{
    private const ulong Image = TestVcpu.DataAddress, Header = Image + 512, Upper = Image + 576;
    private const byte Protection = 13, PageFault = 14;

    private static bool IsApplicable => CpuFeatures.OfHost.Has(Leaf1Ecx.Xsave);

    [Fact]
    public void Xgetbv_ReadsXcr0_AndNothingElse()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => { a.mov(ecx, 0); a.xgetbv(); }).Reason);
        Assert.Equal((7ul, 0ul), (vcpu.State.Registers.Gpr[0], vcpu.State.Registers.Gpr[2]));
        Assert.Equal(CpuExit.Exception(Protection), Execute(vcpu, a => { a.mov(ecx, 1); a.xgetbv(); }));
    }

    [Fact]
    public void SavedState_ComesBack()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Fill(vcpu);
        RegisterFile before = vcpu.State.Registers;
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => a.xsave64(__[Image])).Reason);
        Assert.Equal(7ul, Word(vcpu, Header));
        Assert.Equal(before.UpperHalves[3], Vector128.Create(vcpu.At(Upper + 48)[..16]));
        vcpu.State.Registers.Xmm = default;
        vcpu.State.Registers.UpperHalves = default;
        vcpu.State.Registers.UpperHalvesInUse = 0;
        vcpu.State.Registers.X87 = default;
        vcpu.State.Registers.Mxcsr = 0x1F80;
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => a.xrstor64(__[Image])).Reason);
        ref RegisterFile after = ref vcpu.State.Registers;
        for (int i = 0; i < 16; i++)
            Assert.Equal((before.Xmm[i], before.UpperHalves[i]), (after.Xmm[i], after.UpperHalves[i]));
        Assert.Equal(before.X87[2].Significand, after.X87[2].Significand);
        Assert.Equal(before.Mxcsr, after.Mxcsr);
    }

    [Theory]
    [InlineData(XsaveComponents.X87)]
    [InlineData(XsaveComponents.Sse)]
    [InlineData(XsaveComponents.Avx)]
    [InlineData(XsaveComponents.Sse | XsaveComponents.Avx)]
    public void Xsave_WritesWhatIsAskedFor_AndNothingElse(XsaveComponents wanted)
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Fill(vcpu);
        vcpu.At(Image)[..1024].Fill(0xEE);
        vcpu.At(Header)[..64].Clear();
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => a.xsave(__[Image]), wanted).Reason);
        Assert.Equal((ulong)wanted, Word(vcpu, Header));
        bool vectors = (wanted & (XsaveComponents.Sse | XsaveComponents.Avx)) != 0;
        Assert.Equal(!wanted.HasFlag(XsaveComponents.X87), IsUntouched(vcpu, Image, 24));
        Assert.Equal(!vectors, IsUntouched(vcpu, Image + 24, 8));
        Assert.Equal(!wanted.HasFlag(XsaveComponents.X87), IsUntouched(vcpu, Image + 32, 128));
        Assert.Equal(!wanted.HasFlag(XsaveComponents.Sse), IsUntouched(vcpu, Image + 160, 256));
        Assert.Equal(!wanted.HasFlag(XsaveComponents.Avx), IsUntouched(vcpu, Upper, 256));
        Assert.True(IsUntouched(vcpu, Image + 416, 96) && IsUntouched(vcpu, Image + 832, 192));
    }

    [Fact]
    public void Xsaveopt_DoesNotWriteUpperHalvesThatAreZero()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Fill(vcpu);
        vcpu.State.Registers.UpperHalves = default;
        vcpu.At(Image)[..1024].Fill(0xEE);
        BinaryPrimitives.WriteUInt64LittleEndian(vcpu.At(Header), 7);
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => a.xsaveopt64(__[Image])).Reason);
        Assert.Equal(3ul, Word(vcpu, Header));
        Assert.True(IsUntouched(vcpu, Upper, 256));
    }

    [Fact]
    public void Xrstor_OfComponentsThatAreNotInTheImage_InitialisesThem()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Fill(vcpu);
        vcpu.At(Image)[..1024].Fill(0xEE);
        vcpu.At(Header)[..64].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(vcpu.At(Image + 24), 0x1FA0);
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => a.xrstor(__[Image])).Reason);
        ref RegisterFile r = ref vcpu.State.Registers;
        Assert.Equal((0x37F, 0, 0, 0x1FA0u), (r.Fcw, r.Fsw, r.Ftw, r.Mxcsr));
        for (int i = 0; i < 16; i++)
            Assert.Equal((default, default), (r.Xmm[i], r.UpperHalves[i]));
    }

    [Theory]
    [InlineData(512, 8)] // a component that is not enabled
    [InlineData(519, 0x80)] // a bit of XSTATE_BV that nothing has
    [InlineData(520, 1)] // XCOMP_BV
    [InlineData(527, 0x80)] // the compacted form
    [InlineData(528, 1)] // reserved
    [InlineData(26, 1)] // MXCSR
    public void Hostile_Images_AreRefused_AndNothingChanges(int offset, byte value)
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Fill(vcpu);
        RegisterFile before = vcpu.State.Registers;
        vcpu.At(Image)[..1024].Clear();
        vcpu.At(Image + (ulong)offset)[0] = value;
        Assert.Equal(CpuExit.Exception(Protection), Execute(vcpu, a => a.xrstor(__[Image])));
        Assert.Equal((before.Xmm[5], before.UpperHalves[5], before.Mxcsr), (vcpu.State.Registers.Xmm[5], vcpu.State.Registers.UpperHalves[5], vcpu.State.Registers.Mxcsr));
    }

    [Fact]
    public void Images_ThatAreMisaligned_OrNotThere_Fault()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        vcpu.Map(17, writable: false);
        Assert.Equal(CpuExit.Exception(Protection), Execute(vcpu, a => a.xsave(__[Image + 32])));
        Assert.Equal(CpuExit.Exception(Protection), Execute(vcpu, a => a.xrstor(__[Image + 16])));
        Assert.Equal(CpuExit.Exception(PageFault, 7, Image + 4096), Execute(vcpu, a => a.xsave(__[Image + 4096 - 576])));
        vcpu.Map(17, writable: true, present: false);
        BinaryPrimitives.WriteUInt64LittleEndian(vcpu.At(Image + 4096 - 64), 7);
        vcpu.At(Image + 4096 - 576)[..512].Clear();
        Assert.Equal(CpuExit.Exception(PageFault, 4, Image + 4096), Execute(vcpu, a => a.xrstor(__[Image + 4096 - 576])));
    }

    private static CpuExit Execute(TestVcpu vcpu, Action<Assembler> code, XsaveComponents wanted = XsaveComponents.All)
    {
        vcpu.NoteCodeWrite(TestVcpu.CodeAddress);
        vcpu.State.FlushTlb();
        vcpu.State.Registers.Gpr[0] = 0xFFFF_FFF8 + (ulong)wanted;
        vcpu.State.Registers.Gpr[2] = 0xFFFF_FFFF;
        vcpu.Assemble(a =>
        {
            code(a);
            a.syscall();
        });
        return vcpu.Run();
    }

    private static void Fill(TestVcpu vcpu)
    {
        ref RegisterFile r = ref vcpu.State.Registers;
        r.UpperHalvesInUse = 1;
        r.Mxcsr = 0x1FBF;
        r.Ftw = 0xFF;
        for (int i = 0; i < 16; i++)
        {
            r.Xmm[i] = Vector128.Create((byte)(0x10 + i));
            r.UpperHalves[i] = Vector128.Create((byte)(0x20 + i));
            r.X87[i & 7] = new Float80 { Significand = (uint)i + (1ul << 63), SignExponent = 0x3FFF };
        }
    }

    private static bool IsUntouched(TestVcpu vcpu, ulong address, int length) => !vcpu.At(address)[..length].ContainsAnyExcept((byte)0xEE);

    private static ulong Word(TestVcpu vcpu, ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(vcpu.At(address));
}
