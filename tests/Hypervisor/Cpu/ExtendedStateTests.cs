using System.Runtime.Intrinsics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>The AVX state: who may use it, what changes it, how it is saved. On hosts without AVX there is nothing to test.</summary>
public abstract class ExtendedStateTests(string engine)
{
    private const ulong Data = TestVcpu.DataAddress;
    private const byte Undefined = 6, NotAvailable = 7, Protection = 13, PageFault = 14, Simd = 19;

    private static bool IsApplicable => CpuFeatures.OfHost.Has(Leaf1Ecx.Avx) && CpuFeatures.OfHost.Has(Leaf7Ebx.Avx2);

    [Theory]
    [InlineData(XsaveComponents.X87)]
    [InlineData(XsaveComponents.X87 | XsaveComponents.Sse)]
    public void VectorInstructions_WithoutTheirStateEnabled_AreUndefined(XsaveComponents enabled)
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Assert.True(vcpu.State.TrySetXcr0((ulong)enabled, XsaveComponents.All));
        vcpu.State.TaskSwitched = true;
        foreach (Action<Assembler> code in (Action<Assembler>[])[a => a.vpaddd(xmm0, xmm1, xmm2), a => a.vzeroupper(), a => a.vpmaskmovd(ymm0, ymm1, __[Data]), a => a.vldmxcsr(__[Data])])
            Assert.Equal(CpuExit.Exception(Undefined), Execute(vcpu, code));
    }

    [Fact]
    public void VectorInstructions_WithoutOsxsave_AreUndefined_IntegerOnesAreNot()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        vcpu.State.XsaveEnabled = false;
        Assert.Equal(CpuExit.Exception(Undefined), Execute(vcpu, a => a.vpaddd(xmm0, xmm1, xmm2)));
        Assert.Equal(CpuExit.Exception(Undefined), Execute(vcpu, a => a.xgetbv()));
        Assert.Equal(CpuExit.Exception(Undefined), Execute(vcpu, a => a.xsave(__[Data])));
        vcpu.State.Registers.Gpr[3] = 0xF0;
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => a.rorx(rax, rbx, 4)).Reason);
        Assert.Equal(0xFul, vcpu.State.Registers.Gpr[0]);
    }

    [Fact]
    public void EnablingTheState_IsSeenByCodeThatRanBefore()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        vcpu.State.XsaveEnabled = false;
        Assert.Equal(CpuExit.Exception(Undefined), Execute(vcpu, a => a.vpaddd(xmm0, xmm1, xmm2)));
        vcpu.State.XsaveEnabled = true;
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
    }

    [Fact]
    public void VectorInstructions_WhenTheTaskWasSwitched_AreNotAvailable()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        vcpu.State.TaskSwitched = true;
        foreach (Action<Assembler> code in (Action<Assembler>[])[a => a.vpaddd(xmm0, xmm1, xmm2), a => a.vzeroall(), a => a.aesenc(xmm0, xmm1), a => a.xsave(__[Data]), a => a.xrstor(__[Data])])
            Assert.Equal(CpuExit.Exception(NotAvailable), Execute(vcpu, code));
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => a.xgetbv(), a => a.mov(ecx, 0)).Reason);
    }

    [Theory]
    [InlineData("62F17C4858C2")] // vaddps zmm0, zmm0, zmm2
    [InlineData("8FE97880C2")] // an instruction of XOP
    [InlineData("C5FC41C2")] // kandw with registers that it does not have
    [InlineData("F3C5FC58C2")] // a prefix before VEX
    [InlineData("C5EC10C1")] // vmovups with a second source
    public void OtherEncodings_AreUndefined(string code)
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.Load(Convert.FromHexString(code));
        Assert.Equal(CpuExit.Exception(Undefined), vcpu.Run());
    }

    [Fact]
    public void UpperHalves_AreKeptByLegacyInstructions_AndClearedByVexOnes()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        FillUpper(vcpu);
        Execute(vcpu, a => { a.paddd(xmm1, xmm2); a.movups(xmm3, __[Data]); a.aesenc(xmm4, xmm5); a.vpaddd(xmm6, xmm1, xmm2); a.vmovups(xmm7, __[Data]); });
        for (int i = 0; i < 16; i++)
            Assert.Equal(i is 6 or 7 ? default : Vector128.Create((byte)(i + 1)), vcpu.State.Registers.UpperHalves[i]);
        Execute(vcpu, a => { a.vzeroupper(); });
        Assert.Equal(default, vcpu.State.Registers.UpperHalves[0]);
        Assert.Equal(0u, vcpu.State.Registers.UpperHalvesInUse);
        vcpu.State.Registers.Xmm[9] = Vector128.Create((byte)9);
        Execute(vcpu, a => { a.vzeroall(); });
        Assert.Equal(default, vcpu.State.Registers.Xmm[9]);
    }

    /// <summary>By every way out of emitted code and back: misses, the time stamp counter, an instruction that is interpreted, a system call.</summary>
    [Fact]
    public void UpperHalves_SurviveWhateverComesBetween()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Vector256.Create(0x1122334455667788ul, 2, 3, 0x99AABBCCDDEEFF00ul).AsByte().CopyTo(vcpu.At(Data));
        vcpu.Assemble(a =>
        {
            a.vmovdqu(ymm0, __ymmword_ptr[Data]);
            a.vpaddq(ymm15, ymm0, ymm0);
            a.mov(rsi, Data + 0x3000);
            a.mov(__qword_ptr[rsi], rsi); // misses
            a.rdtsc();
            a.cpuid();
            a.fld1();
            a.syscall();
            a.mov(rbx, __qword_ptr[rsi + 0x1000]);
            a.vpsubq(ymm14, ymm15, ymm0);
            a.vmovdqu(__ymmword_ptr[Data + 64], ymm14);
            a.vzeroupper();
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        vcpu.State.FlushTlb();
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.True(vcpu.At(Data)[..32].SequenceEqual(vcpu.At(Data + 64)[..32]));
        for (int i = 0; i < 16; i++)
            Assert.Equal(default, vcpu.State.Registers.UpperHalves[i]);
    }

    [Fact]
    public void OperandsOverTheEndOfAPage_AreReadAndWritten()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Vector256<byte> value = Vector256.Create(1ul, 2, 3, 4).AsByte();
        value.CopyTo(vcpu.At(Data));
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => { a.vmovups(ymm0, __[Data]); a.vmovups(__[Data + 4096 - 5], ymm0); a.vpaddb(ymm1, ymm0, __[Data + 4096 - 5]); }).Reason);
        Span<byte> bytes = stackalloc byte[32];
        value.CopyTo(bytes);
        Assert.True(vcpu.At(Data + 4096 - 5)[..5].SequenceEqual(bytes[..5]) && vcpu.At(Data + 4096)[..27].SequenceEqual(bytes[5..]));
        Assert.Equal((value + value).GetUpper(), vcpu.State.Registers.UpperHalves[1]);
    }

    [Fact]
    public void AlignedMoves_WantTheirBoundary()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        Assert.Equal(CpuExit.Exception(Protection), Execute(vcpu, a => a.vmovaps(ymm0, __[Data + 16])));
        Assert.Equal(CpuExit.Exception(Protection), Execute(vcpu, a => a.vmovntdq(__[Data + 16], ymm0)));
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => a.vmovaps(ymm0, __[Data + 32])).Reason);
    }

    [Fact]
    public void MaskedMoves_AccessOnlyWhatIsNotMasked()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        vcpu.Map(17, writable: false, present: false);
        Vector256.Create(1, 2, 3, 4, 5, 6, 7, 8).AsByte().CopyTo(vcpu.At(Data + 4096 - 32));
        SetWide(vcpu, 1, Vector256.Create(-1, 0, -1, 0, 0, 0, 0, 0).AsByte());
        SetWide(vcpu, 2, Vector256.Create(9, 9, 9, 9, 9, 9, 9, 9).AsByte());
        Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a => { a.vpmaskmovd(ymm0, ymm1, __[Data + 4096 - 16]); a.vmaskmovps(__[Data + 4096 - 16], ymm1, ymm2); }).Reason);
        Assert.Equal(Vector256.Create(5, 0, 7, 0, 0, 0, 0, 0).AsByte(), Wide(vcpu, 0));
        Assert.Equal(Vector128.Create(9, 6, 9, 8).AsByte(), Vector128.Create(vcpu.At(Data + 4096 - 16)[..16]));
        Assert.Equal(CpuExit.Exception(PageFault, 4, Data + 4096), Execute(vcpu, a => a.vpmaskmovd(ymm0, ymm1, __[Data + 4096 - 8])));
        Assert.Equal(CpuExit.Exception(PageFault, 6, Data + 4096), Execute(vcpu, a => a.vpmaskmovd(__[Data + 4096 - 8], ymm1, ymm2)));
    }

    [Fact]
    public void Gather_ThatFaults_KeepsWhatItHas_AndGoesOnThere()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        vcpu.Map(17, writable: false, present: false);
        for (int i = 0; i < 4; i++)
            BitConverter.TryWriteBytes(vcpu.At(Data + (ulong)(i * 0x800)), 100 + i);
        SetWide(vcpu, 0, Vector256.Create(7, 7, 7, 7, 7, 7, 7, 7).AsByte());
        SetWide(vcpu, 1, Vector256.Create(0, 0x800, 0x1000, 0x1800, 0, 0, 0, 0).AsByte());
        SetWide(vcpu, 2, Vector256.Create(-1, -1, -1, 0, 0, 0, 0, -1).AsByte());
        vcpu.State.Registers.Gpr[3] = Data;
        Assert.Equal(CpuExit.Exception(PageFault, 4, Data + 0x1000), Execute(vcpu, a => a.vpgatherdd(ymm0, __[rbx + ymm1], ymm2)));
        Assert.Equal(Vector256.Create(100, 101, 7, 7, 7, 7, 7, 7).AsByte(), Wide(vcpu, 0));
        Assert.Equal(Vector256.Create(0, 0, -1, 0, 0, 0, 0, -1).AsByte(), Wide(vcpu, 2));
        vcpu.Map(17, writable: true);
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(Vector256.Create(100, 101, 102, 7, 7, 7, 7, 100).AsByte(), Wide(vcpu, 0));
        Assert.Equal(default, Wide(vcpu, 2));
    }

    [Fact]
    public void ExceptionThatIsNotMasked_IsRaised_AndChangesMxcsrOnly()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(engine);
        SetWide(vcpu, 0, Vector256.Create(1.0f).AsByte());
        SetWide(vcpu, 1, default);
        vcpu.State.Registers.Mxcsr = 0x1F80 & ~0x200u;
        Assert.Equal(CpuExit.Exception(Simd), Execute(vcpu, a => a.vdivps(ymm2, ymm0, ymm1)));
        Assert.Equal(0x1D84u, vcpu.State.Registers.Mxcsr);
        Assert.Equal(default, Wide(vcpu, 2));
    }

    /// <summary>More encodings than the interpreter's code memory holds at once.</summary>
    [Fact]
    public void ManyEncodings_AreAllExecuted()
    {
        if (!IsApplicable)
            return;
        using var vcpu = new TestVcpu(static state => new Interpreter(state));
        for (int round = 0; round < 128; round++)
        {
            SetWide(vcpu, 3, Vector256.Create(0x0706050403020100ul).AsByte());
            Assert.Equal(CpuExitReason.Hypercall, Execute(vcpu, a =>
            {
                for (int i = 0; i < 90; i++)
                    a.AddInstruction(Instruction.Create(Code.VEX_Vpshufd_ymm_ymmm256_imm8, Register.YMM4 + (i % 12), Register.YMM3, (round * 2) + (i >= 45 ? 1 : 0)));
            }).Reason);
            Assert.Equal(Vector128.Shuffle(Vector128.Create(0x03020100, 0x07060504, 0x03020100, 0x07060504), Selector((round * 2) + 1)).AsByte(), vcpu.State.Registers.UpperHalves[9]);
        }
    }

    private static Vector128<int> Selector(int control) => Vector128.Create(control & 3, (control >> 2) & 3, (control >> 4) & 3, (control >> 6) & 3);

    private static CpuExit Execute(TestVcpu vcpu, Action<Assembler> code, Action<Assembler>? before = null)
    {
        vcpu.NoteCodeWrite(TestVcpu.CodeAddress);
        vcpu.State.FlushTlb();
        vcpu.Assemble(a =>
        {
            before?.Invoke(a);
            code(a);
            a.syscall();
        });
        return vcpu.Run();
    }

    private static void FillUpper(TestVcpu vcpu)
    {
        vcpu.State.Registers.UpperHalvesInUse = 1;
        for (int i = 0; i < 16; i++)
            vcpu.State.Registers.UpperHalves[i] = Vector128.Create((byte)(i + 1));
    }

    private static Vector256<byte> Wide(TestVcpu vcpu, int number) => Vector256.Create(vcpu.State.Registers.Xmm[number], vcpu.State.Registers.UpperHalves[number]);

    private static void SetWide(TestVcpu vcpu, int number, Vector256<byte> value)
    {
        vcpu.State.Registers.Xmm[number] = value.GetLower();
        vcpu.State.Registers.UpperHalves[number] = value.GetUpper();
        vcpu.State.Registers.UpperHalvesInUse = 1;
    }
}
