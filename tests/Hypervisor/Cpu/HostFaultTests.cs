using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>Emitted code that goes wrong: the vCPU ends with a report, everything else goes on.</summary>
/// <remarks>Not while the processor is under test: then handlers of signals are on a stack that is too small for the runtime to throw from.</remarks>
[Collection("the host's processor")]
public sealed class HostFaultTests
{
    /// <summary>No program has anything mapped there.</summary>
    private const long Nothing = 0x7000;

    /// <summary>No processor can go there.</summary>
    private const long NoAddress = 0x1234_0000_0000_0000;

    private const int Offset = 0x128, Sigill = 4, Sigtrap = 5, Sigsegv = 11;
    private const uint WriteBit = 2;
    private static readonly string? Null = GetNull();

    public static TheoryData<string, bool> Accesses => new()
    {
        { "load", false }, { "store", true }, { "read-modify-write", true }, { "group", false }, { "flags alive", false }, { "vector", true }, { "push", true }, { "string", true },
    };

    [Theory]
    [MemberData(nameof(Accesses))]
    public void WildAccess_EndsTheRun_AtTheInstruction(string name, bool writes)
    {
        using var vcpu = new TestVcpu(CpuEngines.Translator);
        ulong wild = Assemble(vcpu, name);
        Assert.Equal(CpuExitReason.Hypercall, RunToEnd(vcpu).Reason);
        vcpu.State.Registers.Rip = TestVcpu.CodeAddress;
        vcpu.State.Registers.Gpr[4] = TestVcpu.StackTop;
        ulong page = name == "push" ? TestVcpu.StackTop - 8 : TestVcpu.DataAddress;
        vcpu.State.Tlb.Fill(page, (nint)Nothing, write: true);

        CpuExit exit = RunToEnd(vcpu);

        Assert.Equal(CpuExitReason.HostFault, exit.Reason);
        HostFault fault = vcpu.State.HostFault!;
        Assert.Equal(Sigsegv, fault.Signal);
        Assert.Equal(Nothing, (long)fault.Address & ~0xFFF);
        Assert.Equal(writes, (fault.ErrorCode & WriteBit) != 0);
        Assert.Equal(TestVcpu.CodeAddress, fault.Block);
        Assert.Equal(wild, fault.GuestRip);
        Assert.Equal(wild, vcpu.State.Registers.Rip);
        Assert.Equal(0x1111u, vcpu.State.Registers.Gpr[3]);
        Assert.Equal(0x2222u, vcpu.State.Registers.Gpr[14]);
        Assert.Contains($"{wild:x16}", fault.Reason, StringComparison.Ordinal);
        Assert.Contains("SIGSEGV", fault.Reason, StringComparison.Ordinal);
        Assert.Contains(fault.Details(), static line => line.StartsWith("host code: ", StringComparison.Ordinal) && line.Contains('>', StringComparison.Ordinal));
        Assert.False(vcpu.State.IsInGuest);
    }

    [Theory]
    [InlineData(Nothing, true)]
    [InlineData(NoAddress, false)]
    public void WildJump_EndsTheRun(long target, bool arrives)
    {
        using var vcpu = new TestVcpu(CpuEngines.Translator);
        Assemble(vcpu, "load");
        var translator = (Translator)vcpu.Engine;
        for (ulong rip = 0; rip < 1 << 18; rip += 4)
        {
            translator.Cache.JumpTableOf(BlockVariant.Kernel).Set(rip, (nint)target);
            translator.Cache.JumpTableOf(BlockVariant.Extended).Set(rip, (nint)target);
        }

        Assert.Equal(CpuExitReason.HostFault, RunToEnd(vcpu).Reason);
        HostFault fault = vcpu.State.HostFault!;
        Assert.Equal(Sigsegv, fault.Signal);
        Assert.Null(fault.Block);
        if (arrives)
            Assert.Equal((ulong)target, fault.HostRip);
    }

    [Theory]
    [InlineData(0x0B0F, Sigill)]
    [InlineData(0xCCCC, Sigtrap)]
    public void WrongCode_EndsTheRun(int bytes, int signal)
    {
        using var vcpu = new TestVcpu(CpuEngines.Translator);
        Assemble(vcpu, "load");
        Assert.Equal(CpuExitReason.Hypercall, RunToEnd(vcpu).Reason);
        vcpu.State.Registers.Rip = TestVcpu.CodeAddress;
        var translator = (Translator)vcpu.Engine;
        translator.Cache.Memory.Overwrite(translator.Cache.Block(0).Body, BitConverter.GetBytes((ushort)bytes));

        Assert.Equal(CpuExitReason.HostFault, RunToEnd(vcpu).Reason);
        Assert.Equal(signal, vcpu.State.HostFault!.Signal);
        Assert.Equal(TestVcpu.CodeAddress, vcpu.State.HostFault.Block);
    }

    [Fact]
    public void OtherVcpu_AtTheSameTime_GoesOn()
    {
        const int Rounds = 3_000_000;
        using var broken = new TestVcpu(CpuEngines.Translator);
        using var whole = new TestVcpu(broken);
        Assemble(broken, "load");
        whole.Assemble(
            static a =>
            {
                Label loop = a.CreateLabel();
                a.mov(rcx, TestVcpu.DataAddress + 0x2000);
                a.mov(eax, Rounds);
                a.Label(ref loop);
                a.inc(__qword_ptr[rcx]);
                a.dec(eax);
                a.jne(loop);
                a.syscall();
            },
            TestVcpu.Base + 0x8000);
        CpuExit last = default;
        int faults = 0, times = 0;
        var other = new Thread(() =>
        {
            // Until the one beside it has had its faults, however the host schedules the two.
            do
            {
                whole.State.Registers.Rip = TestVcpu.Base + 0x8000;
                last = RunToEnd(whole);
                times++;
            }
            while (last.Reason == CpuExitReason.Hypercall && Volatile.Read(ref faults) <= 10);
        });
        other.Start();
        while (other.IsAlive)
            Volatile.Write(ref faults, faults + Fault(broken, mayBeFlushed: true));
        other.Join();
        Assert.Equal(CpuExitReason.Hypercall, last.Reason);
        Assert.Equal(times * Rounds, BitConverter.ToInt32(whole.At(TestVcpu.DataAddress + 0x2000)));
    }

    [Fact]
    public void ManagedCode_AfterFaults_StillHasItsExceptions()
    {
        using var vcpu = new TestVcpu(CpuEngines.Translator);
        Assemble(vcpu, "load");
        for (int i = 0; i < 50; i++)
        {
            Fault(vcpu);
            ThrowAndCatch();
            var other = new Thread(ThrowAndCatch);
            other.Start();
            other.Join();
        }
    }

    [Fact]
    public void ThousandFaults_OnASmallStack_LeaveNothing()
    {
        const int StackSize = 256 << 10, Times = 1000;
        int before = HostFaults.Instance.Count;
        Exception? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    using var vcpu = new TestVcpu(CpuEngines.Translator);
                    Assemble(vcpu, "push");
                    for (int i = 0; i < Times; i++)
                    {
                        Fault(vcpu, TestVcpu.StackTop - 8);
                        if (i % 10 == 0)
                            ThrowAndCatch();
                    }

                    // It was not the engine's code: without the wrong translation all is well.
                    vcpu.State.FlushTlb();
                    vcpu.State.Registers.Rip = TestVcpu.CodeAddress;
                    Assert.Equal(CpuExitReason.Hypercall, RunToEnd(vcpu).Reason);
                }
                catch (Exception caught) when (caught is not OutOfMemoryException)
                {
                    failure = caught;
                }
            },
            StackSize);
        thread.Start();
        thread.Join();
        Assert.Null(failure);

        // Other tests make engines meanwhile; a thousand would be seen.
        Assert.InRange(HostFaults.Instance.Count, 0, before + 100);
    }

    [Fact]
    public void ManyThreads_FaultAndThrow_AtOnce()
    {
        const int Threads = 6, Times = 30;
        int faults = 0;
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < Times; i++)
            {
                using var vcpu = new TestVcpu(CpuEngines.Translator);
                Assemble(vcpu, i % 2 == 0 ? "load" : "store");
                Interlocked.Add(ref faults, Fault(vcpu));
                ThrowAndCatch();
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        Assert.Equal(Threads * Times, faults);
    }

    [Fact]
    public void Lockstep_ReportsIt()
    {
        using var vcpu = new TestVcpu(static state => new LockstepEngine(state));
        Assemble(vcpu, "load");
        var translator = ((LockstepEngine)vcpu.Engine).Translator;
        Assert.Equal(CpuExitReason.Hypercall, RunToEnd(vcpu).Reason);
        vcpu.State.Registers.Rip = TestVcpu.CodeAddress;
        translator.Cache.Memory.Overwrite(translator.Cache.Block(0).Body, [0x0F, 0x0B]);
        Assert.Equal(CpuExitReason.HostFault, RunToEnd(vcpu).Reason);
        Assert.Equal(Sigill, vcpu.State.HostFault!.Signal);
    }

    /// <summary>Has a wild access happen. Returns how many did.</summary>
    private static int Fault(TestVcpu vcpu, ulong page = TestVcpu.DataAddress, bool mayBeFlushed = false)
    {
        vcpu.State.Registers.Rip = TestVcpu.CodeAddress;
        vcpu.State.Registers.Gpr[4] = TestVcpu.StackTop;
        vcpu.State.Tlb.Fill(page, (nint)Nothing, write: true);
        CpuExit exit = RunToEnd(vcpu);
        if (mayBeFlushed && exit.Reason == CpuExitReason.Hypercall)
            return 0;
        Assert.Equal(CpuExitReason.HostFault, exit.Reason);
        return 1;
    }

    /// <summary>Runs until something but time ends it.</summary>
    private static CpuExit RunToEnd(TestVcpu vcpu)
    {
        CpuExit exit;
        do
            exit = vcpu.Run();
        while (exit.Reason is CpuExitReason.BudgetSpent or CpuExitReason.Request);
        return exit;
    }

    /// <summary>Code with one access to <see cref="TestVcpu.DataAddress"/> or the stack. Returns the address of its instruction.</summary>
    private static ulong Assemble(TestVcpu vcpu, string name)
    {
        int before = 0;
        vcpu.Assemble(a =>
        {
            a.mov(rsi, TestVcpu.DataAddress);
            a.mov(rdi, TestVcpu.DataAddress + 0x1000);
            a.mov(rbx, 0x1111);
            a.mov(r14, 0x2222);
            a.xor(eax, eax);
            a.mov(__[rdi], rbx);
            before = a.Instructions.Count;
            EmitAccess(a, name);
            a.add(r9, 1);
            a.syscall();
        });
        var decoder = Iced.Intel.Decoder.Create(64, vcpu.At(TestVcpu.CodeAddress)[..256].ToArray());
        decoder.IP = TestVcpu.CodeAddress;
        for (int i = 0; i < before; i++)
            decoder.Decode();
        return decoder.IP;
    }

    private static void EmitAccess(Assembler a, string name)
    {
        switch (name)
        {
            case "load":
                a.mov(rcx, __[rsi + Offset]);
                break;
            case "store":
                a.mov(__[rsi + Offset], rcx);
                break;
            case "read-modify-write":
                a.add(__qword_ptr[rsi + Offset], 1);
                break;
            case "group":
                a.mov(rcx, __[rsi + Offset]);
                a.mov(rdx, __[rsi + Offset + 8]);
                break;
            case "flags alive":
                a.mov(rcx, __[rsi + Offset]);
                a.adc(rcx, rcx);
                break;
            case "vector":
                a.movaps(__[rsi + 0x120], xmm1);
                break;
            case "push":
                a.push(rbx);
                break;
            default:
                a.mov(__byte_ptr[rsi], 1);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static string? GetNull() => Environment.GetEnvironmentVariable("no such variable");

    /// <summary>Lets the runtime make exceptions of two of the signals.</summary>
    [SuppressMessage("Usage", "CA2201", Justification = "the exceptions are the processor's")]
    private static void ThrowAndCatch()
    {
        Assert.Throws<NullReferenceException>(static () => { _ = Null!.Length; });
        int zero = Null is null ? 0 : 1;
        Assert.Throws<DivideByZeroException>(() => 7 / zero);
    }
}
