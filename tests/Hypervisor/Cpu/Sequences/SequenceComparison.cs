using System.Globalization;
using System.Runtime.Intrinsics;
using System.Text;
using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>What came of a program.</summary>
internal enum SequenceOutcome
{
    Same,
    Different,

    /// <summary>The program does not end soon enough, or cannot be encoded: it says nothing.</summary>
    Useless,
}

/// <summary>
/// Runs programs on both engines, several times from several states, and compares all that a guest can see whenever they come out.
/// A fault is answered as a guest would: the page is made present, or the instruction is skipped. So flags that are lost at a fault, but alive,
/// are seen later on.
/// </summary>
internal sealed class SequenceComparison : IDisposable
{
    private const int Runs = 5, MaxExits = 24, Budget = 30_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly SequenceMachine _interpreter = new(static state => new Interpreter(state));
    private readonly SequenceMachine _translator;

    private SequenceProgram? _previous;
    private RegisterFile _previousRegisters;

    /// <param name="forgetful">The translator forgets code as soon as it has other code.</param>
    public SequenceComparison(bool forgetful) => _translator = new SequenceMachine(forgetful ? TestEngines.ForgetfulTranslator : TestVcpu.SmallTranslator);

    /// <summary>Times when the translator's code memory was full so far.</summary>
    public long Evictions => ((Translator)_translator.Vcpu.Engine).Statistics.Evictions;

    /// <summary>What differed in the last program that was different.</summary>
    public string Report { get; private set; } = "";

    /// <summary>Memory that is not set back has changed: nothing more can be compared here.</summary>
    public bool IsSpoilt { get; private set; }

    /// <summary>Faults so far.</summary>
    public int Faults { get; private set; }

    /// <summary>Runs that ended by the program's end.</summary>
    public int Completed { get; private set; }

    public SequenceOutcome Compare(SequenceProgram program)
    {
        List<SequenceInstruction> flat = program.Flatten();
        if (SequenceFlags.FirstReader(flat) >= 0)
            return Useless("reads undefined flags");
        if (program.Encode(flat, out uint[] offsets) is not { } code || code.Length > 0x1000)
            return Useless("cannot be encoded: " + program.EncoderError);
        var undefined = new Dictionary<ulong, ulong>();
        RflagsBits[] before = SequenceFlags.Find(flat);
        for (int i = 0; i < flat.Count; i++)
            undefined[program.Address + offsets[i]] = FlagBits.Of(before[i]);
        int last = flat.FindLastIndex(static i => i.Code.Mnemonic == Mnemonic.Syscall);
        ulong end = program.Address + offsets[last] + 2;
        var random = new SiliconRandom(program.Seed * 0xBF58_476D_1CE4_E5B9);
        RegisterFile registers = SequenceMachine.MakeRegisters(program, random);
        _interpreter.Load(program, code);
        _translator.Load(program, code);
        var mode = new SequenceMode(Flush: true, User: random.OneIn(8), TaskSwitched: random.OneIn(16));
        for (int run = 0; run < Runs; run++)
        {
            // The first two runs are the same; then come other operands, over translations that are there.
            if (run == 1)
                mode = mode with { Flush = false };
            if (run > 1)
            {
                registers = SequenceMachine.MakeRegisters(program, random);
                mode = new SequenceMode(random.OneIn(3), random.OneIn(6), random.OneIn(16));
            }

            if (run == Runs - 1 && _previous is not null)
                VisitPrevious(program);
            _interpreter.Reset(program, code, in registers, in mode);
            _translator.Reset(program, code, in registers, in mode);
            SequenceOutcome outcome = Run(undefined, end);
            if (outcome == SequenceOutcome.Different && !_interpreter.IsCodeIntact(program, code))
            {
                IsSpoilt = true;
                return Useless("overwrites its code at large");
            }

            if (outcome == SequenceOutcome.Different)
                Report = $"run {run}, {mode}, from\n{Describe(in registers)}{Report}";
            if (outcome != SequenceOutcome.Same)
                return outcome;
        }

        _previous = program.WritesItself ? null : program;
        _previousRegisters = registers;
        return SequenceOutcome.Same;
    }

    /// <summary>Runs the program before this one again, maybe at the same address. What comes of it has been compared before.</summary>
    private void VisitPrevious(SequenceProgram program)
    {
        foreach (SequenceMachine machine in (ReadOnlySpan<SequenceMachine>)[_interpreter, _translator])
        {
            machine.Switch(_previous!);
            machine.Reset(_previous!, default, in _previousRegisters, default);
            for (int i = 0; i < MaxExits && machine.Vcpu.Run(Budget).Reason == CpuExitReason.BudgetSpent; i++)
            {
            }

            machine.Switch(program);
        }
    }

    private SequenceOutcome Useless(string why)
    {
        Report = why;
        return SequenceOutcome.Useless;
    }

    public void Dispose()
    {
        _interpreter.Dispose();
        _translator.Dispose();
    }

    private SequenceOutcome Run(Dictionary<ulong, ulong> undefined, ulong end)
    {
        for (int i = 0; i < MaxExits; i++)
        {
            CpuExit expected = _interpreter.Vcpu.Run(Budget);
            if (expected.Reason == CpuExitReason.BudgetSpent)
                return Useless("does not end soon enough");
            if (!TryRunTranslator(out CpuExit actual))
                return Fail($"the translator does not end, where the interpreter has {expected}");
            ref RegisterFile a = ref _interpreter.Vcpu.State.Registers, b = ref _translator.Vcpu.State.Registers;

            // At a fault dead flags may be anything; see Answer.
            ulong ignored = IsSystemCall(expected) ? undefined.GetValueOrDefault(a.Rip - 2, LazyFlags.All) : LazyFlags.All;
            if (expected != actual)
                return Fail($"interpreter {expected}, translator {actual}");
            if (!IsSame(in a, in b, ignored))
                return Fail($"registers differ at {expected}");
            ulong address = _interpreter.FirstDifference(_translator);
            if (address != 0)
                return Fail($"memory differs at {address:x}: interpreter {Bytes(_interpreter, address)}, translator {Bytes(_translator, address)}, at {expected}");
            if (IsSystemCall(expected) && a.Rip == end)
            {
                Completed++;
                return SequenceOutcome.Same;
            }

            if (expected.Reason == CpuExitReason.Exception && !TryAnswer(expected))
                return SequenceOutcome.Same;
        }

        return SequenceOutcome.Same;
    }

    private static bool IsSystemCall(CpuExit exit) => exit.Reason is CpuExitReason.Hypercall or CpuExitReason.SystemCall;

    private bool TryRunTranslator(out CpuExit exit)
    {
        long start = Environment.TickCount64;
        do
        {
            exit = _translator.Vcpu.Run(1);
            if (exit.Reason is not (CpuExitReason.BudgetSpent or CpuExitReason.Request))
                return true;
        }
        while (Environment.TickCount64 - start < Patience.TotalMilliseconds);
        return false;
    }

    private bool TryAnswer(CpuExit fault)
    {
        Faults++;
        ulong rip = _interpreter.Vcpu.State.Registers.Rip;
        if (fault.Vector == Vector.Page && _interpreter.TryRepair(fault.Cr2))
            return _translator.TryRepair(fault.Cr2);
        byte[] code = _interpreter.CodeAt(rip);
        if (code.Length == 0 || fault.Vector == Vector.InvalidOpcode)
            return false;
        var decoder = Iced.Intel.Decoder.Create(64, code);
        decoder.IP = rip;
        decoder.Decode(out Instruction instruction);
        if (instruction.FlowControl != FlowControl.Next)
            return false;

        // The handler returns behind the instruction, with flags of its own.
        foreach (SequenceMachine machine in (ReadOnlySpan<SequenceMachine>)[_interpreter, _translator])
        {
            ref RegisterFile r = ref machine.Vcpu.State.Registers;
            r.Rip = instruction.NextIP;
            r.Rflags = (r.Rflags & ~LazyFlags.All) | (instruction.NextIP * 0x9E37_79B9 & LazyFlags.All);
        }

        return true;
    }

    private SequenceOutcome Fail(string what)
    {
        Report = $"{what}\ninterpreter:\n{Describe(in _interpreter.Vcpu.State.Registers)}translator:\n{Describe(in _translator.Vcpu.State.Registers)}";
        return SequenceOutcome.Different;
    }

    private static bool IsSame(in RegisterFile a, in RegisterFile b, ulong ignored)
    {
        if (a.Rip != b.Rip || a.Mxcsr != b.Mxcsr || a.FsBase != b.FsBase || a.GsBase != b.GsBase || ((a.Rflags ^ b.Rflags) & ~ignored) != 0
            || a.Fsw != b.Fsw || a.Fcw != b.Fcw || a.Ftw != b.Ftw)
        {
            return false;
        }

        for (int i = 0; i < 16; i++)
        {
            if (a.Gpr[i] != b.Gpr[i] || a.Xmm[i] != b.Xmm[i] || a.UpperHalves[i] != b.UpperHalves[i] || (i < 8 && a.X87[i].Significand != b.X87[i].Significand))
                return false;
        }

        return true;
    }

    private static string Bytes(SequenceMachine machine, ulong address) => Convert.ToHexString(machine.Vcpu.At(address & ~7ul)[..8]);

    private static string Describe(in RegisterFile r)
    {
        var text = new StringBuilder();
        for (int i = 0; i < 16; i++)
            text.Append(CultureInfo.InvariantCulture, $"  {SiliconDifferences.GprNames[i]}={r.Gpr[i]:x}");
        text.AppendLine(CultureInfo.InvariantCulture, $"\n  rip={r.Rip:x} rflags={r.Rflags:x} mxcsr={r.Mxcsr:x} fs={r.FsBase:x} gs={r.GsBase:x}");
        for (int i = 0; i < 16; i++)
            text.Append(CultureInfo.InvariantCulture, $"  ymm{i}={r.UpperHalves[i].AsUInt64()[1]:x16}:{r.UpperHalves[i].AsUInt64()[0]:x16}:{r.Xmm[i].AsUInt64()[1]:x16}:{r.Xmm[i].AsUInt64()[0]:x16}");
        return text.AppendLine().ToString();
    }
}
