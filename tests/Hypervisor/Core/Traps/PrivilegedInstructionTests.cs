using Iced.Intel;
using Xen.Abi;
using Xen.Cpu;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Core.Tests.Traps;

/// <summary>Privileged instructions of a guest kernel: emulated, or given back as #GP.</summary>
public sealed class PrivilegedInstructionTests : IDisposable
{
    private const ulong Handler = 0xFFFF_FFFF_8100_1000;
    private const uint GsBaseMsr = 0xC000_0101, KernelGsBaseMsr = 0xC000_0102, FsBaseMsr = 0xC000_0100, Efer = 0xC000_0080;

    private readonly TestGuest _guest = new();

    /// <summary>The mode that instructions are executed in.</summary>
    private GuestMode _mode = GuestMode.Kernel;

    private static ulong Code => TestGuest.AddressOf(20);

    public PrivilegedInstructionTests()
    {
        _guest.Registers.Gpr[Gpr.Rsp] = TestGuest.AddressOf(14);
        _guest.Vcpu.Traps.KernelSp = TestGuest.AddressOf(14);
        _guest.Vcpu.Traps.SetGate(new TrapInfo { Vector = (byte)TrapVector.GeneralProtection, Cs = 0x10, Address = Handler });
        _guest.Vcpu.Traps.SetGate(new TrapInfo { Vector = (byte)TrapVector.InvalidOpcode, Cs = 0x10, Address = Handler });
        _guest.Vcpu.Traps.Iopl = 1;
    }

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(GsBaseMsr)]
    [InlineData(KernelGsBaseMsr)]
    [InlineData(FsBaseMsr)]
    public void SegmentBases_AreWrittenAndReadBack(uint msr)
    {
        SetMsr(msr, 0xFFFF_8880_1234_5678);
        Assert.True(Emulate(a => a.wrmsr()));
        Assert.True(Emulate(a => a.rdmsr()));
        Assert.Equal((0x1234_5678ul, 0xFFFF_8880ul), (_guest.Registers.Gpr[Gpr.Rax], _guest.Registers.Gpr[Gpr.Rdx]));
    }

    [Fact]
    public void GsBases_AreTheOneInUseAndTheOthers()
    {
        SetMsr(GsBaseMsr, 0x1000);
        Assert.True(Emulate(a => a.wrmsr()));
        SetMsr(KernelGsBaseMsr, 0x2000);
        Assert.True(Emulate(a => a.wrmsr()));
        Assert.Equal((0x1000ul, 0x2000ul), (_guest.Registers.GsBase, _guest.Vcpu.State.InactiveGsBase));
    }

    [Fact]
    public void Osxsave_IsTheKernelsToSet_AndSeenByCpuid()
    {
        bool offered = CpuFeatures.OfHost.Has(Leaf1Ecx.Xsave);
        Assert.Equal(0u, Osxsave());
        _guest.Registers.Gpr[Gpr.Rax] = (ulong)Cr4Flags.Xsave;
        Assert.True(Emulate(a => a.mov(cr4, rax)));
        Assert.Equal(offered, _guest.Vcpu.State.XsaveEnabled);
        Assert.Equal(offered ? 1u << 27 : 0, Osxsave());
        Assert.True(Emulate(a => a.mov(rbx, cr4)));
        Assert.Equal(offered, (_guest.Registers.Gpr[Gpr.Rbx] & (ulong)Cr4Flags.Xsave) != 0);
        _guest.Registers.Gpr[Gpr.Rax] = 0;
        Assert.True(Emulate(a => a.mov(cr4, rax)));
        Assert.Equal(0u, Osxsave());
    }

    /// <summary>Linux asks by the prefix, before it writes CR4.</summary>
    [Fact]
    public void Osxsave_IsShownToAKernelBehindXensPrefix_BeforeItIsSet()
    {
        CpuidLeaf leaf = _guest.Domain.ForcedCpuid(_guest.Vcpu.State, 1, 0);
        Assert.Equal(CpuFeatures.OfHost.Has(Leaf1Ecx.Xsave) ? 1u << 27 : 0, leaf.Ecx & (1u << 27));
        _guest.Vcpu.State.SwitchMode(GuestMode.User);
        Assert.Equal(0u, _guest.Domain.ForcedCpuid(_guest.Vcpu.State, 1, 0).Ecx & (1u << 27));
    }

    [Theory]
    [InlineData(0, 1ul, true)]
    [InlineData(0, 3ul, true)]
    [InlineData(0, 7ul, true)]
    [InlineData(0, 0ul, false)]
    [InlineData(0, 2ul, false)]
    [InlineData(0, 5ul, false)]
    [InlineData(0, 15ul, false)]
    [InlineData(0, 0xE7ul, false)]
    [InlineData(0, 0x8000_0000_0000_0003ul, false)]
    [InlineData(1, 1ul, false)]
    public void Xsetbv_TakesWhatAProcessorTakes(uint register, ulong value, bool lawful)
    {
        if (!CpuFeatures.OfHost.Has(Leaf1Ecx.Avx))
            return;
        SetMsr(register, value);
        Assert.False(Emulate(a => a.xsetbv()), "CR4.OSXSAVE is not set");
        _guest.Vcpu.State.XsaveEnabled = true;
        SetMsr(register, value);
        Assert.Equal(lawful, Emulate(a => a.xsetbv()));
        Assert.Equal(lawful ? value : 1ul, (ulong)_guest.Vcpu.State.Xcr0);
        _guest.Domain.Cpuid(_guest.Vcpu.State, 0xD, 0, out uint mask, out uint size, out uint all, out _);
        Assert.Equal((7u, lawful && value == 7 ? 832u : 576u, 832u), (mask, size, all));
    }

    [Fact]
    public void Xsetbv_OfAProgram_IsItsFault()
    {
        _guest.Vcpu.State.XsaveEnabled = true;
        _mode = GuestMode.User;
        SetMsr(0, 3);
        Assert.False(Emulate(a => a.xsetbv()));
        Assert.Equal(XsaveComponents.X87, _guest.Vcpu.State.Xcr0);
    }

    [Theory]
    [InlineData(GsBaseMsr, 0x8000_0000_0000ul)]
    [InlineData(Efer, 0ul)]
    [InlineData(0x10u, 5ul)]
    [InlineData(0xC001_0007u, 0ul)]
    [InlineData(0xDEAD_BEEFu, 0ul)]
    public void WritesThatWouldChangeSomething_AreRefused(uint msr, ulong value)
    {
        SetMsr(msr, value);
        Assert.False(Emulate(a => a.wrmsr()));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(0x10u)]
    [InlineData(0x1Bu)]
    [InlineData(0x8Bu)]
    [InlineData(0xCEu)]
    [InlineData(0x140u)]
    [InlineData(0x179u)]
    [InlineData(0x17Bu)]
    [InlineData(0x1A0u)]
    [InlineData(0x277u)]
    [InlineData(0x280u)]
    [InlineData(0x29Fu)]
    [InlineData(0x345u)]
    [InlineData(0x400u)]
    [InlineData(0x47Fu)]
    [InlineData(0x4000_0000u)]
    [InlineData(Efer)]
    public void RegistersThatAGuestHas_CanBeRead(uint msr)
    {
        SetMsr(msr, 0);
        Assert.True(Emulate(a => a.rdmsr()));
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(0x48u)]
    [InlineData(0x480u)]
    [InlineData(0x2A0u)]
    [InlineData(0xC001_1029u)]
    [InlineData(uint.MaxValue)]
    public void OtherRegisters_AreTheGuestsFault(uint msr)
    {
        SetMsr(msr, 0);
        Assert.False(Emulate(a => a.rdmsr()));
    }

    [Fact]
    public void UnknownRegister_BeforeThereIsAHandler_ReadsAsZero()
    {
        _guest.Vcpu.Traps.ClearGates();
        SetMsr(0xDEAD, 77);
        Assert.True(Emulate(a => a.rdmsr()));
        Assert.Equal((0ul, 0ul), (_guest.Registers.Gpr[Gpr.Rax], _guest.Registers.Gpr[Gpr.Rdx]));
    }

    [Fact]
    public void ControlRegisters_LookLikeA64BitKernels()
    {
        Assert.True(Emulate(a => a.mov(r9, cr0)));
        Assert.Equal(0x8005_0033ul, _guest.Registers.Gpr[Gpr.R9]);
        Assert.True(Emulate(a => a.mov(rbx, cr3)));
        Assert.Equal(_guest.Vcpu.State.KernelRoot.Address, _guest.Registers.Gpr[Gpr.Rbx]);
        Assert.True(Emulate(a => a.mov(rbx, cr4)));
        Assert.Equal(0x620ul, _guest.Registers.Gpr[Gpr.Rbx]);
    }

    [Fact]
    public void TaskSwitched_IsSetByCr0AndClearedByClts()
    {
        _guest.Registers.Gpr[Gpr.Rbx] = 0x8005_003B;
        Assert.True(Emulate(a => a.mov(cr0, rbx)));
        Assert.True(_guest.Vcpu.State.TaskSwitched);
        Assert.True(Emulate(a => a.clts()));
        Assert.False(_guest.Vcpu.State.TaskSwitched);
        _guest.Registers.Gpr[Gpr.Rbx] = 0x33;
        Assert.False(Emulate(a => a.mov(cr0, rbx)));
    }

    [Fact]
    public void Cr4_KeepsWhatTheGuestMayHave()
    {
        _guest.Registers.Gpr[Gpr.Rbx] = ulong.MaxValue;
        Assert.True(Emulate(a => a.mov(cr4, rbx)));
        Assert.Equal(0x62Cul, _guest.Vcpu.Traps.Cr4);
    }

    [Fact]
    public void DebugRegisters_AreKept()
    {
        _guest.Registers.Gpr[Gpr.Rbx] = 0x401000;
        Assert.True(Emulate(a => a.mov(dr1, rbx)));
        Assert.True(Emulate(a => a.mov(rcx, dr1)));
        Assert.Equal(0x401000ul, _guest.Registers.Gpr[Gpr.Rcx]);
        _guest.Registers.Gpr[Gpr.Rbx] = PageWalker.HypervisorStart;
        Assert.False(Emulate(a => a.mov(dr1, rbx)));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void CliAndSti_NeedTheLevel_AndDoNothing(int iopl, bool allowed)
    {
        _guest.Vcpu.Traps.Iopl = iopl;
        ulong flags = _guest.Registers.Rflags;
        Assert.Equal(allowed, Emulate(a => a.cli()));
        Assert.Equal(flags & 0x200, _guest.Registers.Rflags & 0x200);
        Assert.Equal(allowed, Emulate(a => a.sti()));
    }

    [Fact]
    public void RefusedInstructions_AreTheGuestsFault()
    {
        Assert.False(Emulate(a => a.hlt()));
        Assert.False(Emulate(a => a.insb()));
        Assert.False(Emulate(a => a.rep.outsd()));
        Assert.False(Emulate(a => a.invlpg(__byte_ptr[rax])));
        Assert.False(Emulate(a => a.mov(rax, cr8)));
        Assert.False(Emulate(a => a.mov(cr3, rax)));
        Assert.False(Emulate(a => a.lgdt(__[rax])));
        Assert.False(Emulate(a => a.rdpmc()));
    }

    [Fact]
    public void PortsWithNothingBehind_ReadAsOnes_InTheirSize()
    {
        _guest.Registers.Gpr[Gpr.Rdx] = 0x3F8;
        _guest.Registers.Gpr[Gpr.Rax] = 0x1111_2222_3333_4444;
        Assert.True(Emulate(a => a.@in(al, dx)));
        Assert.Equal(0x1111_2222_3333_44FFul, _guest.Registers.Gpr[Gpr.Rax]);
        Assert.True(Emulate(a => a.@in(ax, dx)));
        Assert.Equal(0x1111_2222_3333_FFFFul, _guest.Registers.Gpr[Gpr.Rax]);
        Assert.True(Emulate(a => a.@in(eax, dx)));
        Assert.Equal(0xFFFF_FFFFul, _guest.Registers.Gpr[Gpr.Rax]);
        Assert.True(Emulate(a => a.@out(0x80, al)));
    }

    [Fact]
    public void UserPrograms_HaveOnlyThePortsOfTheBitmap()
    {
        _mode = GuestMode.User;
        _guest.Vcpu.Traps.IoBitmap = TestGuest.AddressOf(21);
        _guest.Vcpu.Traps.IoBitmapPorts = 0x400;
        _guest.Write(TestGuest.AddressOf(21) + (0x378 / 8), 0xFE, 0xFF);
        _guest.Registers.Gpr[Gpr.Rdx] = 0x378;
        Assert.True(Emulate(a => a.@in(al, dx)));
        Assert.False(Emulate(a => a.@in(ax, dx)));
        _guest.Registers.Gpr[Gpr.Rdx] = 0x379;
        Assert.False(Emulate(a => a.@in(al, dx)));
        _guest.Registers.Gpr[Gpr.Rdx] = 0x3FF;
        Assert.True(Emulate(a => a.@in(al, dx)));
        Assert.False(Emulate(a => a.@in(ax, dx)));
        Assert.False(Emulate(a => a.cli()));
        _guest.Vcpu.Traps.Iopl = 3;
        Assert.True(Emulate(a => a.cli()));
    }

    [Fact]
    public void UserPrograms_HaveNoPrivilegedRegisters()
    {
        _mode = GuestMode.User;
        SetMsr(FsBaseMsr, 0);
        Assert.False(Emulate(a => a.rdmsr()));
        Assert.False(Emulate(a => a.mov(rax, cr0)));
    }

    [Fact]
    public void AnInstructionAtTheEndOfMemory_IsReadAsFarAsItGoes()
    {
        ulong last = TestGuest.AddressOf(TestGuest.PageCount) - 2;
        _guest.Write(last, 0x0F, 0x32);
        SetMsr(Efer, 0);
        _guest.Registers.Rip = last;
        ExitDispatcher.Handle(_guest.Vcpu, CpuExit.Exception((byte)TrapVector.GeneralProtection));
        Assert.Equal(last + 2, _guest.Registers.Rip);
    }

    [Fact]
    public void ForcedCpuid_TellsThatXenIsHere()
    {
        _guest.Write(Code, 0x0F, 0x0B, (byte)'x', (byte)'e', (byte)'n', 0x0F, 0xA2);
        _guest.Registers.Rip = Code;
        _guest.Registers.Gpr[Gpr.Rax] = CpuidLeaves.First;
        ExitDispatcher.Handle(_guest.Vcpu, CpuExit.Exception((byte)TrapVector.InvalidOpcode));
        Assert.Equal(Code + 7, _guest.Registers.Rip);
        Assert.Equal(
            (CpuidLeaves.SignatureEbx, CpuidLeaves.SignatureEcx, CpuidLeaves.SignatureEdx),
            ((uint)_guest.Registers.Gpr[Gpr.Rbx], (uint)_guest.Registers.Gpr[Gpr.Rcx], (uint)_guest.Registers.Gpr[Gpr.Rdx]));
    }

    [Fact]
    public void PlainUd2_IsTheGuests()
    {
        _guest.Write(Code, 0x0F, 0x0B, (byte)'x', (byte)'e', (byte)'n', 0x0F, 0xA3);
        _guest.Registers.Rip = Code;
        ExitDispatcher.Handle(_guest.Vcpu, CpuExit.Exception((byte)TrapVector.InvalidOpcode));
        Assert.Equal(Handler, _guest.Registers.Rip);
    }

    private void SetMsr(uint msr, ulong value)
    {
        _guest.Registers.Gpr[Gpr.Rcx] = msr;
        _guest.Registers.Gpr[Gpr.Rax] = (uint)value;
        _guest.Registers.Gpr[Gpr.Rdx] = value >> 32;
    }

    /// <summary>Lets the instruction fault. Returns whether it was stepped over; if not, the guest's handler was entered.</summary>
    private bool Emulate(Action<Assembler> emit)
    {
        var assembler = new Assembler(64);
        emit(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), Code);
        _guest.Write(Code, stream.ToArray());
        _guest.Registers.Rip = Code;
        _guest.Vcpu.State.SwitchMode(_mode);
        ExitDispatcher.Handle(_guest.Vcpu, CpuExit.Exception((byte)TrapVector.GeneralProtection));
        if (_guest.Registers.Rip == Code + (ulong)stream.Length)
            return true;
        Assert.Equal(Handler, _guest.Registers.Rip);
        return false;
    }

    private uint Osxsave()
    {
        _guest.Domain.Cpuid(_guest.Vcpu.State, 1, 0, out _, out _, out uint ecx, out _);
        return ecx & (1u << 27);
    }
}
