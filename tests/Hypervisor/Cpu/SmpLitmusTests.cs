using System.Diagnostics;
using Iced.Intel;
using Xunit.Abstractions;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>Two vCPUs on two threads over the same memory: what the architecture promises about order must hold. Each test races for a while.</summary>
public abstract class SmpLitmusTests(string engine, ITestOutputHelper output)
{
    private const uint Data = (uint)TestVcpu.DataAddress;
    private const uint X = Data, Y = Data + 0x100, FirstResult = Data + 0x200, SecondResult = Data + 0x240, Violations = Data + 0x280, Rounds = Data + 0x2C0;
    private const uint Stop = Data + 0x300, End = Data + 0x340, Arrivals = Data + 0x400, Departures = Data + 0x440;
    private const int EnoughRounds = 20_000;
    private const ulong SecondCode = TestVcpu.Base + (8 * 4096);
    private static readonly TimeSpan Duration = TimeSpan.FromMilliseconds(250), LongDuration = TimeSpan.FromSeconds(2), Patience = TimeSpan.FromSeconds(30);

    /// <summary>Each stores, then loads what the other stores. Without a barrier both may see the old value; with one, never.</summary>
    [Theory]
    [InlineData("mfence")]
    [InlineData("lock")]
    [InlineData("xchg")]
    [InlineData("nothing")]
    public void StoreBuffering_IsSeenWithoutABarrierOnly(string barrier)
    {
        using var first = new TestVcpu(engine);
        using var second = new TestVcpu(first);
        first.Assemble(a => StoreBuffering(a, barrier, X, Y, FirstResult, judges: true));
        second.Assemble(a => StoreBuffering(a, barrier, Y, X, SecondResult, judges: false), SecondCode);
        Race(first, second, static vcpu => Read(vcpu, Rounds) >= EnoughRounds);
        ulong rounds = Read(first, Rounds), violations = Read(first, Violations);
        output.WriteLine($"{barrier}: {rounds} rounds, {violations} times both saw the old value");
        Assert.NotEqual(0ul, rounds);
        if (barrier != "nothing")
            Assert.Equal(0ul, violations);
    }

    /// <summary>Stores are seen in their order, whatever pages they are on.</summary>
    [Theory]
    [InlineData(Y)]
    [InlineData(Data + 0x1000)]
    public void MessagePassing_NeverShowsTheFlagBeforeTheData(uint flag)
    {
        using var first = new TestVcpu(engine);
        using var second = new TestVcpu(first);
        first.Assemble(a =>
        {
            Label loop = a.CreateLabel();
            a.xor(ebx, ebx);
            a.Label(ref loop);
            a.inc(rbx);
            a.mov(__qword_ptr[X], rbx);
            a.mov(__qword_ptr[flag], rbx);
            a.cmp(__qword_ptr[Stop], 0);
            a.je(loop);
            a.syscall();
        });
        second.Assemble(
            a =>
            {
                Label loop = a.CreateLabel(), good = a.CreateLabel();
                a.Label(ref loop);
                a.mov(rcx, __qword_ptr[flag]);
                a.mov(rdx, __qword_ptr[X]);
                a.inc(__qword_ptr[Rounds]);
                a.cmp(rdx, rcx);
                a.jae(good);
                a.inc(__qword_ptr[Violations]);
                a.Label(ref good);
                a.cmp(__qword_ptr[Stop], 0);
                a.je(loop);
                a.syscall();
            },
            SecondCode);
        Race(first, second);
        output.WriteLine($"{first.State.Registers.Gpr[3]} messages, {Read(first, Rounds)} looks");
        Assert.NotEqual(0ul, Read(first, Rounds));
        Assert.Equal(0ul, Read(first, Violations));
    }

    /// <summary>Locked operations of several kinds on one counter, each a different one.</summary>
    [Fact]
    public void LockedIncrements_OfDifferentKinds_AreNeverLost()
    {
        using var first = new TestVcpu(engine);
        using var second = new TestVcpu(first);
        first.Assemble(a => Increments(a, add => add.@lock.add(__qword_ptr[X], 1)));
        second.Assemble(
            a => Increments(a, add =>
            {
                add.mov(eax, 1);
                add.@lock.xadd(__dword_ptr[X], eax);
            }),
            SecondCode);
        Race(first, second);
        Assert.Equal(first.State.Registers.Gpr[3] + second.State.Registers.Gpr[3], Read(first, X));
    }

    /// <summary>One patches a jump, then says so; the other serializes, and takes the jump: it must go to the new target.</summary>
    [Fact]
    public void CrossModifiedJump_GoesToItsNewTargetBehindAHandshake()
    {
        const uint go = X, acknowledged = Y;
        using var first = new TestVcpu(engine);
        using var second = new TestVcpu(first);
        ulong jump = 0, one = 0, two = 0;
        AssembleWithLabels(second, SecondCode, a =>
        {
            Label loop = a.CreateLabel(), patched = a.CreateLabel(), firstTarget = a.CreateLabel(), secondTarget = a.CreateLabel(), done = a.CreateLabel(), end = a.CreateLabel();
            a.xor(esi, esi);
            a.Label(ref loop);
            a.cmp(__qword_ptr[Stop], 0);
            a.jne(end);
            a.cmp(__qword_ptr[go], rsi);
            a.je(loop);
            a.mov(rsi, __qword_ptr[go]);
            a.xor(eax, eax);
            a.cpuid();
            a.Label(ref patched);
            a.db(0xE9, 0, 0, 0, 0);
            a.Label(ref firstTarget);
            a.mov(__qword_ptr[SecondResult], 1);
            a.jmp(done);
            a.Label(ref secondTarget);
            a.mov(__qword_ptr[SecondResult], 2);
            a.Label(ref done);
            a.mov(__qword_ptr[acknowledged], rsi);
            a.jmp(loop);
            a.Label(ref end);
            a.syscall();
            return (result) => (jump, one, two) = (result.GetLabelRIP(patched), result.GetLabelRIP(firstTarget), result.GetLabelRIP(secondTarget));
        });
        first.Assemble(a =>
        {
            Label loop = a.CreateLabel(), wait = a.CreateLabel(), good = a.CreateLabel();
            a.xor(ebx, ebx);
            a.Label(ref loop);
            a.inc(rbx);
            a.mov(eax, ebx);
            a.and(eax, 1);
            a.imul(ecx, eax, (int)(two - one));
            a.add(ecx, (int)(one - (jump + 5)));
            a.mov(__dword_ptr[jump + 1], ecx);
            a.mov(__qword_ptr[go], rbx);
            a.Label(ref wait);
            a.cmp(__qword_ptr[Stop], 0);
            a.jne(good);
            a.pause();
            a.cmp(__qword_ptr[acknowledged], rbx);
            a.jne(wait);
            a.inc(eax);
            a.inc(__qword_ptr[Rounds]);
            a.cmp(__qword_ptr[SecondResult], rax);
            a.je(loop);
            a.inc(__qword_ptr[Violations]);
            a.jmp(loop);
            a.Label(ref good);
            a.syscall();
        });
        Race(first, second);
        output.WriteLine($"{Read(first, Rounds)} patches");
        Assert.NotEqual(0ul, Read(first, Rounds));
        Assert.Equal(0ul, Read(first, Violations));
    }

    /// <summary>Behind a shoot-down nobody writes through the old mapping any more.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ShootDown_OfAPageInUse_EndsWritesToItsOldFrame(bool grouped)
    {
        const int page = 24, otherPage = 25;
        ulong address = TestVcpu.Base + (page * 4096), other = TestVcpu.Base + (otherPage * 4096);
        using var vcpu = new TestVcpu(engine);
        vcpu.Assemble(a =>
        {
            Label loop = a.CreateLabel();
            a.mov(rsi, address);
            a.Label(ref loop);
            a.inc(__qword_ptr[rsi]);
            if (grouped)
            {
                a.inc(__qword_ptr[rsi + 8]);
                a.inc(__qword_ptr[rsi + 16]);
            }

            a.cmp(__qword_ptr[Stop], 0);
            a.je(loop);
            a.syscall();
        });
        RaceAgainst(vcpu, isOriginal =>
        {
            vcpu.Alias(isOriginal ? page : otherPage, page);
            Flush(vcpu);
            ulong old = isOriginal ? other : address, now = isOriginal ? address : other;
            ulong oldCount = Read(vcpu, old), before = Read(vcpu, now);
            WaitUntil(() => Read(vcpu, now) > before);
            Assert.Equal(oldCount, Read(vcpu, old));
        });
    }

    /// <summary>Behind a shoot-down calls go to the code that is mapped now.</summary>
    [Fact]
    public void ShootDown_OfACodePage_LetsCallsGoToTheNewCode()
    {
        const int page = 24, otherPage = 25;
        ulong function = TestVcpu.Base + (page * 4096);
        using var vcpu = new TestVcpu(engine);
        for (int i = 0; i < 2; i++)
        {
            int number = i + 1;
            vcpu.Assemble(
                a =>
                {
                    a.mov(eax, number);
                    a.ret();
                },
                function + ((ulong)i * 4096));
        }

        vcpu.Assemble(a =>
        {
            Label loop = a.CreateLabel();
            a.Label(ref loop);
            a.call(function);
            a.mov(__qword_ptr[X], rax);
            a.inc(__qword_ptr[Rounds]);
            a.cmp(__qword_ptr[Stop], 0);
            a.je(loop);
            a.syscall();
        });
        RaceAgainst(vcpu, isOriginal =>
        {
            vcpu.Alias(isOriginal ? page : otherPage, page);
            Flush(vcpu);
            ulong before = Read(vcpu, Rounds);

            // The call that was under way may end; the next one is behind the flush.
            WaitUntil(() => Read(vcpu, Rounds) > before + 1);
            Assert.Equal(isOriginal ? 1ul : 2ul, Read(vcpu, X));
        });
    }

    private static void StoreBuffering(Assembler a, string barrier, uint mine, uint other, uint result, bool judges)
    {
        Label loop = a.CreateLabel(), good = a.CreateLabel(), end = a.CreateLabel();
        a.xor(ebx, ebx);
        a.Label(ref loop);
        a.inc(rbx);
        Meet(a, Arrivals);
        a.cmp(__qword_ptr[End], 0);
        a.jne(end);
        if (barrier == "xchg")
        {
            a.mov(rdx, rbx);
            a.xchg(__qword_ptr[mine], rdx);
        }
        else
        {
            a.mov(__qword_ptr[mine], rbx);
        }

        if (barrier == "mfence")
            a.mfence();
        else if (barrier == "lock")
            a.@lock.or(__dword_ptr[rsp - 64], 0);
        a.mov(rcx, __qword_ptr[other]);
        a.mov(__qword_ptr[result], rcx);
        Meet(a, Departures);
        if (judges)
        {
            a.mov(__qword_ptr[Rounds], rbx);
            a.cmp(__qword_ptr[FirstResult], rbx);
            a.jae(good);
            a.cmp(__qword_ptr[SecondResult], rbx);
            a.jae(good);
            a.inc(__qword_ptr[Violations]);
            a.Label(ref good);

            // Both end in the same round.
            a.mov(rax, __qword_ptr[Stop]);
            a.mov(__qword_ptr[End], rax);
        }

        a.jmp(loop);
        a.Label(ref end);
        a.syscall();
    }

    /// <summary>Waits until both have come here in round rbx.</summary>
    private static void Meet(Assembler a, uint counter)
    {
        Label wait = a.CreateLabel(), met = a.CreateLabel();
        a.@lock.inc(__qword_ptr[counter]);
        a.lea(rax, __[rbx * 2]);
        a.Label(ref wait);
        a.cmp(__qword_ptr[counter], rax);
        a.jae(met);
        a.pause();
        a.jmp(wait);
        a.Label(ref met);
    }

    private static void Increments(Assembler a, Action<Assembler> add)
    {
        Label loop = a.CreateLabel();
        a.xor(ebx, ebx);
        a.Label(ref loop);
        add(a);
        a.inc(rbx);
        a.cmp(__qword_ptr[Stop], 0);
        a.je(loop);
        a.syscall();
    }

    private static void AssembleWithLabels(TestVcpu vcpu, ulong address, Func<Assembler, Action<AssemblerResult>> program)
    {
        var assembler = new Assembler(64);
        Action<AssemblerResult> found = program(assembler);
        using var stream = new MemoryStream();
        found(assembler.Assemble(new StreamCodeWriter(stream), address, BlockEncoderOptions.ReturnNewInstructionOffsets));
        vcpu.Load(stream.ToArray(), address);
    }

    /// <summary>Lets both run for a while; longer, if not enough has happened by then because the host is busy.</summary>
    private static void Race(TestVcpu first, TestVcpu second, Func<TestVcpu, bool>? isEnough = null)
    {
        Thread other = Start(second);
        Thread one = Start(first);
        one.Join(Duration); // it does not end before it is told to
        if (isEnough is not null)
            SpinWait.SpinUntil(() => isEnough(first), LongDuration);
        Write(first, Stop, 1);
        Assert.True(one.Join(Patience) && other.Join(Patience), "a vCPU does not end");
    }

    /// <summary>Lets a vCPU run while this thread does something to it again and again, each time the other way round.</summary>
    private void RaceAgainst(TestVcpu vcpu, Action<bool> change)
    {
        Thread thread = Start(vcpu);
        int changes = 0;
        try
        {
            for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < Duration; changes++)
                change(changes % 2 != 0);
        }
        finally
        {
            Write(vcpu, Stop, 1);
            Assert.True(thread.Join(Patience), "the vCPU does not end");
        }

        output.WriteLine($"{changes} shoot-downs");
    }

    private static Thread Start(TestVcpu vcpu)
    {
        var thread = new Thread(() =>
        {
            while (vcpu.Run(1_000_000).Reason != CpuExitReason.Hypercall)
            {
            }
        });
        thread.Start();
        return thread;
    }

    private static void Flush(TestVcpu vcpu)
    {
        vcpu.State.RequestTlbFlush();
        vcpu.State.WaitForFlush();
    }

    private static void WaitUntil(Func<bool> condition) => Assert.True(SpinWait.SpinUntil(condition, Patience), "the vCPU makes no progress");

    private static ulong Read(TestVcpu vcpu, ulong address) => vcpu.Memory.ReadUInt64(TestVcpu.FrameOf(address).Address | (address & 0xFFF));

    private static void Write(TestVcpu vcpu, ulong address, ulong value) => vcpu.Memory.WriteUInt64(TestVcpu.FrameOf(address).Address | (address & 0xFFF), value);
}
