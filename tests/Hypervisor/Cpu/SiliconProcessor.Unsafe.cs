using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>
/// Executes one guest instruction on the host's own processor. The linear addresses of a <see cref="TestVcpu"/> are mapped here too, so that
/// instructions run with the same addresses on both. A stub loads all registers, jumps to the instruction, and stores them again.
/// </summary>
/// <remarks>A fault of the instruction ends it, and is its outcome: see <see cref="SiliconFaults"/>.</remarks>
internal sealed unsafe partial class SiliconProcessor : IDisposable
{
    /// <summary>GS has this base while instructions run; FS belongs to the host's C library.</summary>
    public const ulong GsBase = TestVcpu.DataAddress + 0x40;

    private const ulong Control = 0x20_0000, Stub = Control + 0x1000, End = TestVcpu.Base + (TestVcpu.Pages * 4096);
    private const ulong Rflags = Control + 0x80, HostRsp = Control + 0x88, Target = Control + 0x90, Back = Control + 0x98, Branched = Control + 0xA0,
        BackBranched = Control + 0xA8, Trap = Control + 0xB0, HostHandlers = Control + 0x100, GuestFx = Control + 0x200, HostFx = Control + 0x400, UpperHalves = Control + 0x600;

    private const int ReadWriteExecute = 7, PrivateAnonymousFixed = 0x10_0022, ArchSetGs = 0x1001;

    private readonly SiliconFaults _faults;

    public SiliconProcessor()
    {
        // SAFETY: the ranges are mapped here, at addresses that nothing else uses (the kernel refuses otherwise), until Dispose.
        MapAt(TestVcpu.Base, TestVcpu.Pages * 4096);
        MapAt(Control, 0x2000);
        var assembler = new Assembler(64);
        Label back = assembler.CreateLabel(), branched = assembler.CreateLabel(), handler = assembler.CreateLabel();
        EmitEntry(assembler);
        assembler.Label(ref branched);
        assembler.mov(__dword_ptr[Branched], 1);
        assembler.Label(ref back);
        EmitExit(assembler);
        assembler.Label(ref handler);
        SiliconFaults.EmitHandler(assembler, TestVcpu.Base, End, Trap, Back, HostHandlers);
        using var stream = new MemoryStream();
        AssemblerResult result = assembler.Assemble(new StreamCodeWriter(stream), Stub, BlockEncoderOptions.ReturnNewInstructionOffsets);
        stream.ToArray().CopyTo(new Span<byte>((void*)Stub, 0x1000));
        Word(Back) = result.GetLabelRIP(back);
        Word(BackBranched) = result.GetLabelRIP(branched);
        _faults = new SiliconFaults(result.GetLabelRIP(handler), new Span<ulong>((void*)HostHandlers, SiliconFaults.Handlers));
    }

    /// <summary>Whether this host can judge.</summary>
    public static bool IsApplicable => RuntimeInformation.ProcessArchitecture == Architecture.X64 && OperatingSystem.IsLinux();

    /// <summary>The bytes that a guest's linear addresses have here.</summary>
    public static Span<byte> Memory(ulong address, int length)
    {
        // SAFETY: checked to be within the mapping.
        ArgumentOutOfRangeException.ThrowIfLessThan(address, TestVcpu.Base);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(address + (ulong)length, End);
        return new Span<byte>((void*)address, length);
    }

    /// <summary>Says that this thread will execute instructions: they find <see cref="GsBase"/> in GS.</summary>
    public static void UseThread()
    {
        _ = SetArchitecture(ArchSetGs, GsBase);
        HostThread.Forget();
    }

    /// <summary>Writes an instruction, and behind it the way back. A branch may go to <paramref name="branchTarget"/>.</summary>
    public static void Place(ReadOnlySpan<byte> instruction, ulong address, ulong branchTarget)
    {
        instruction.CopyTo(Memory(address, instruction.Length));
        JumpThrough(Back, address + (ulong)instruction.Length);
        JumpThrough(BackBranched, branchTarget);
    }

    /// <summary>Executes the instruction at rip.</summary>
    public static SiliconOutcome Run(ref RegisterFile r)
    {
        // SAFETY: the stub is complete since the constructor; it touches the control page and what the instruction touches.
        for (int i = 0; i < 16; i++)
            Word(Control + ((ulong)i * 8)) = r.Gpr[i];
        Word(Rflags) = r.Rflags;
        Word(Target) = r.Rip;
        Word(Branched) = 0;
        Word(Trap) = SiliconFaults.NoTrap;
        Span<byte> image = new((void*)GuestFx, 512);
        SiliconFxImage.Store(in r, image);
        for (int i = 0; i < 16; i++)
            r.UpperHalves[i].CopyTo(new Span<byte>((void*)(UpperHalves + ((ulong)i * 16)), 16));
        UseThread();
        ((delegate* unmanaged<void>)Stub)();
        for (int i = 0; i < 16; i++)
            r.Gpr[i] = Word(Control + ((ulong)i * 8));
        r.Rflags = Word(Rflags);
        SiliconFxImage.Load(ref r, image);
        for (int i = 0; i < 16; i++)
            r.UpperHalves[i] = Vector128.Create(new ReadOnlySpan<byte>((void*)(UpperHalves + ((ulong)i * 16)), 16));
        return new SiliconOutcome(Word(Branched) != 0, Word(Trap) is var trap && trap != SiliconFaults.NoTrap ? (int)trap : null);
    }

    public void Dispose()
    {
        _faults.Dispose();
        _ = Unmap((nint)TestVcpu.Base, TestVcpu.Pages * 4096);
        _ = Unmap((nint)Control, 0x2000);
    }

    private static void EmitEntry(Assembler a)
    {
        foreach (AssemblerRegister64 saved in new[] { rbx, rbp, r12, r13, r14, r15 })
            a.push(saved);
        a.pushfq();
        a.fxsave64(__[HostFx]);
        a.mov(__[HostRsp], rsp);
        a.fxrstor64(__[GuestFx]);
        for (int i = 0; Avx.IsSupported && i < 16; i++)
            a.vinsertf128(Ymm(i), Ymm(i), __xmmword_ptr[UpperHalves + ((ulong)i * 16)], 1);
        a.push(__qword_ptr[Rflags]);
        a.popfq();
        for (int i = 0; i < 16; i++)
            a.mov(Gpr(i), __[Control + ((ulong)i * 8)]);
        a.jmp(__qword_ptr[Target]);
    }

    private static void EmitExit(Assembler a)
    {
        // MOV leaves the flags alone.
        for (int i = 0; i < 16; i++)
            a.mov(__[Control + ((ulong)i * 8)], Gpr(i));
        a.mov(rsp, __[HostRsp]);
        a.pushfq();
        a.pop(__qword_ptr[Rflags]);
        for (int i = 0; Avx.IsSupported && i < 16; i++)
            a.vextractf128(__xmmword_ptr[UpperHalves + ((ulong)i * 16)], Ymm(i), 1);
        if (Avx.IsSupported)
            a.vzeroupper();
        a.fxsave64(__[GuestFx]);
        a.fxrstor64(__[HostFx]);
        a.popfq();
        foreach (AssemblerRegister64 saved in new[] { r15, r14, r13, r12, rbp, rbx })
            a.pop(saved);
        a.ret();
    }

    private static AssemblerRegister64 Gpr(int number) =>
        new[] { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 }[number];

    private static AssemblerRegisterYMM Ymm(int number) =>
        new[] { ymm0, ymm1, ymm2, ymm3, ymm4, ymm5, ymm6, ymm7, ymm8, ymm9, ymm10, ymm11, ymm12, ymm13, ymm14, ymm15 }[number];

    /// <summary>jmp qword ptr [slot].</summary>
    private static void JumpThrough(ulong slot, ulong address)
    {
        Span<byte> code = Memory(address, 7);
        code[0] = 0xFF;
        code[1] = 0x24;
        code[2] = 0x25;
        BinaryPrimitives.WriteUInt32LittleEndian(code[3..], (uint)slot);
    }

    private static ref ulong Word(ulong address) => ref *(ulong*)address; // SAFETY: addresses of the control page only.

    private static void MapAt(ulong address, int length)
    {
        if (Map((nint)address, (nuint)length, ReadWriteExecute, PrivateAnonymousFixed, -1, 0) != (nint)address)
            throw new InvalidOperationException($"cannot map {length:x} bytes at {address:x}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "arch_prctl")]
    private static partial int SetArchitecture(int code, ulong value);
}
