using System.Globalization;
using System.Runtime.Intrinsics;
using System.Text;
using Iced.Intel;
using Xunit.Abstractions;

namespace Xen.Cpu.Tests;

/// <summary>
/// An engine against the host's own processor: random instances of every instruction of a class, from random states; all registers, flags
/// (but those that are undefined), faults and memory are compared. XEN_SILICON_INSTANCES says how many in all classes together; XEN_SILICON_SEED where
/// to start. XEN_SILICON_TRACE names a file for the instance that is about to be executed, for the day when one ends the process.
/// </summary>
public abstract class SiliconTests(string engine, ITestOutputHelper output)
{
    private const int DefaultInstances = 400_000, MaxReports = 10, SlotSize = 64;
    private const byte InvalidOpcode = 6, PageFault = 14;

    private static readonly int Instances =
        int.TryParse(Environment.GetEnvironmentVariable("XEN_SILICON_INSTANCES"), CultureInfo.InvariantCulture, out int wanted) ? wanted : DefaultInstances;

    private static readonly ulong Seed =
        ulong.TryParse(Environment.GetEnvironmentVariable("XEN_SILICON_SEED"), CultureInfo.InvariantCulture, out ulong seed) ? seed : 1;

    private static readonly string? Trace = Environment.GetEnvironmentVariable("XEN_SILICON_TRACE");

    public static TheoryData<string> Classes => [.. SiliconClass.All.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Classes))]
    public void Engine_AgreesWithTheProcessor(string name)
    {
        if (!SiliconProcessor.IsApplicable)
        {
            output.WriteLine("Not applicable: this host is no x86-64 Linux machine.");
            return;
        }

        SiliconClass family = SiliconClass.All.Single(c => c.Name == name);
        if (family.Codes().Length == 0)
        {
            output.WriteLine("Not applicable: this host's processor has none of them.");
            return;
        }

        int share = (int)((long)Instances * family.Weight / SiliconClass.All.Sum(c => c.Weight));
        using var processor = new SiliconProcessor();
        using var comparison = new Comparison(engine, family, Seed);
        comparison.Execute(share);
        output.WriteLine($"{name}: {comparison.Executed} instances of {comparison.CodeCount} codes, {comparison.Faulted} faults besides");
        Assert.True(comparison.Reports.Count == 0, string.Join("\n\n", comparison.Reports));
        Assert.True(comparison.Executed >= share, "too few instances");
    }

    /// <summary>So that the differences of tomorrow are reports, too, and do not end the process.</summary>
    [Theory]
    [InlineData("F7F0", 0)] // div eax, which is 0
    [InlineData("CC", 3)] // int3
    [InlineData("0F0B", 6)] // ud2
    [InlineData("0F284C2401", 13)] // movaps xmm1,[rsp+1]
    [InlineData("8B00", 14)] // mov eax,[rax]
    [InlineData("90", null)] // nop
    public void Processor_RaisingAnException_SurvivesAndNamesIt(string code, int? vector)
    {
        if (!SiliconProcessor.IsApplicable)
            return;
        using var processor = new SiliconProcessor();
        SiliconProcessor.UseThread();
        SiliconProcessor.Place(Convert.FromHexString(code), TestVcpu.CodeAddress, TestVcpu.CodeAddress + SlotSize);
        var registers = new RegisterFile { Rip = TestVcpu.CodeAddress, Rflags = 0x202, Mxcsr = 0x1F80, Fcw = 0x37F };
        registers.Gpr[4] = SiliconGenerator.StackMiddle;
        RegisterFile after = registers;
        Assert.Equal(vector, SiliconProcessor.Run(ref after).Trap);
        Assert.Equal(registers.Gpr[4], after.Gpr[4]);
    }

    /// <summary>One class at work.</summary>
    private sealed class Comparison : IDisposable
    {
        private readonly SiliconClass _family;
        private readonly TestVcpu _vcpu;
        private readonly SiliconRandom _random;
        private readonly SiliconGenerator _generator;
        private readonly HashSet<Code> _reported = [];
        private ulong _slot = TestVcpu.CodeAddress;

        public Comparison(string engine, SiliconClass family, ulong seed)
        {
            _vcpu = new TestVcpu(engine);
            _family = family;
            foreach (char letter in family.Name)
                seed = (seed * 31) + letter;
            _random = new SiliconRandom(seed);
            _generator = new SiliconGenerator(_random, Poke);
            for (ulong address = TestVcpu.Base; address < TestVcpu.Base + (TestVcpu.Pages * 4096); address += 8)
                BitConverter.TryWriteBytes(_vcpu.At(address), _random.Value());
            _vcpu.Map(0, writable: false);
            SiliconProcessor.UseThread();
            Synchronise();
        }

        public List<string> Reports { get; } = [];

        public int Executed { get; private set; }

        public int Faulted { get; private set; }

        public int CodeCount { get; private set; }

        public void Execute(int share)
        {
            Code[] codes = _family.Codes();
            CodeCount = codes.Length;
            for (int i = 0; Executed < share && i < share * 8 && Reports.Count < MaxReports; i++)
            {
                Code code = codes[i % codes.Length];
                if (_generator.Make(code, _slot, _family) is { } made)
                    Compare(made);
            }
        }

        public void Dispose() => _vcpu.Dispose();

        private void Compare(SiliconInstance made)
        {
            Place(made);
            RegisterFile before = made.Registers;
            _vcpu.State.Registers = before;
            CpuExit exit = _vcpu.Run();
            RegisterFile interpreted = _vcpu.State.Registers;
            if (exit.Reason != CpuExitReason.Hypercall)
            {
                if (_vcpu.LosesDeadFlags)
                {
                    ulong dead = SiliconDifferences.Changed(in made.Instruction);
                    interpreted.Rflags = (interpreted.Rflags & ~dead) | (before.Rflags & dead);
                }

                Faulted++;
                CompareFault(made, in before, in interpreted, exit);
                return;
            }

            SiliconOutcome outcome = RunNative(made, out RegisterFile native);
            Executed++;
            bool interpretedBranched = interpreted.Rip == made.BranchTarget + 2;
            _family.Forgive?.Invoke(made, ref interpreted, ref native);
            var differences = new StringBuilder();
            if (outcome.Trap is { } trap)
            {
                if (SiliconVendors.MayRaise(made, trap))
                    return;
                differences.AppendLine(CultureInfo.InvariantCulture, $"the processor raises exception {trap}");
            }
            else if (outcome.Branched != interpretedBranched)
                differences.AppendLine(CultureInfo.InvariantCulture, $"branched: processor {outcome.Branched}, engine {interpretedBranched}");
            SiliconDifferences.Registers(differences, in made.Instruction, in interpreted, in native, _family.ComparesX87);
            if (CompareMemory(differences))
                Synchronise();
            if (differences.Length > 0)
                Report(made, in before, differences.ToString());
        }

        private static SiliconOutcome RunNative(SiliconInstance made, out RegisterFile native)
        {
            if (Trace is not null)
                File.WriteAllText(Trace, Describe(made, in made.Registers));
            native = made.Registers;
            return SiliconProcessor.Run(ref native);
        }

        /// <summary>
        /// A fault must have changed nothing, and be no unknown instruction; and the processor must raise it, too. Only page faults are not put to the
        /// processor: it might find something there.
        /// </summary>
        private void CompareFault(SiliconInstance made, in RegisterFile before, in RegisterFile after, CpuExit exit)
        {
            var differences = new StringBuilder();
            if (exit.Vector is not (InvalidOpcode or PageFault))
            {
                SiliconOutcome outcome = RunNative(made, out RegisterFile native);
                if (outcome.Trap is null && SiliconVendors.MayExecute(made, exit.Vector))
                    native = before;
                else if (outcome.Trap != exit.Vector)
                    differences.AppendLine(CultureInfo.InvariantCulture, $"the processor raises {(outcome.Trap is { } trap ? $"exception {trap}" : "no exception")}");
                SiliconDifferences.Registers(differences, in made.Instruction, in after, in native, _family.ComparesX87);
            }

            if (exit.Vector == InvalidOpcode)
                differences.AppendLine("#UD: the engine does not have it");
            else if (!made.Instruction.IsStringInstruction)
                SiliconDifferences.Registers(differences, in made.Instruction, in after, in before, _family.ComparesX87);
            if (after.Rip != made.Instruction.IP)
                differences.AppendLine(CultureInfo.InvariantCulture, $"rip {after.Rip:x} at a fault");
            if (made.Instruction.IsStringInstruction)
                Synchronise();
            else if (CompareMemory(differences))
                Synchronise();
            if (differences.Length > 0)
                Report(made, in before, $"{exit}\n{differences}");
        }

        private void Report(SiliconInstance made, in RegisterFile before, string differences)
        {
            // One report per code says enough.
            if (_reported.Add(made.Instruction.Code))
                Reports.Add($"{Describe(made, in before)}{differences}");
        }

        private static string Describe(SiliconInstance made, in RegisterFile before)
        {
            var text = new StringBuilder();
            text.AppendLine(CultureInfo.InvariantCulture, $"{made.Instruction}   [{Convert.ToHexString(made.Bytes)}] {made.Instruction.Code}");
            for (int i = 0; i < 16; i++)
                text.Append(CultureInfo.InvariantCulture, $"{SiliconDifferences.GprNames[i]}={before.Gpr[i]:x} ");
            text.AppendLine(CultureInfo.InvariantCulture, $"rflags={before.Rflags:x}");
            text.Append(CultureInfo.InvariantCulture, $"mxcsr={before.Mxcsr:x} fcw={before.Fcw:x} fsw={before.Fsw:x} ftw={before.Ftw:x}");
            for (int i = 0; i < 8; i++)
                text.Append(CultureInfo.InvariantCulture, $" R{i}={before.X87[i].SignExponent:x4}:{before.X87[i].Significand:x16}");
            text.AppendLine();
            for (int i = 0; i < 16; i++)
                text.Append(CultureInfo.InvariantCulture, $"xmm{i}={before.Xmm[i].AsUInt64()[1]:x16}:{before.Xmm[i].AsUInt64()[0]:x16} ");
            return text.AppendLine().ToString();
        }

        /// <summary>Writes the instruction on both sides. On the engine's a SYSCALL follows it.</summary>
        private void Place(SiliconInstance made)
        {
            SiliconProcessor.Place(made.Bytes, _slot, made.BranchTarget);
            Span<byte> code = _vcpu.At(_slot);
            made.Bytes.CopyTo(code);
            SystemCall(code[made.Bytes.Length..]);
            SystemCall(_vcpu.At(made.BranchTarget));
            _slot += SlotSize;
            if (_slot == TestVcpu.CodeAddress + 4096)
            {
                _slot = TestVcpu.CodeAddress;
                _vcpu.NoteCodeWrite(_slot);
            }
        }

        private static void SystemCall(Span<byte> code) => (code[0], code[1]) = (0x0F, 0x05);

        private void Poke(ulong address, ulong value)
        {
            for (int i = 0; i < 8; i++)
                _vcpu.At(address + (ulong)i)[0] = SiliconProcessor.Memory(address + (ulong)i, 1)[0] = (byte)(value >> (i * 8));
        }

        /// <summary>Compares the data pages and the stack.</summary>
        private bool CompareMemory(StringBuilder differences)
        {
            bool different = false;
            for (ulong page = SiliconGenerator.DataStart; page < SiliconGenerator.DataStart + SiliconGenerator.DataSize; page += 4096)
                different |= ComparePage(differences, page);
            for (ulong page = SiliconGenerator.StackMiddle - 4096; page < SiliconGenerator.StackMiddle + 4096; page += 4096)
                different |= ComparePage(differences, page);
            return different;
        }

        private bool ComparePage(StringBuilder differences, ulong page)
        {
            ReadOnlySpan<byte> here = _vcpu.At(page), there = SiliconProcessor.Memory(page, 4096);
            int first = here.CommonPrefixLength(there);
            if (first == 4096)
                return false;
            first &= ~7;
            differences.AppendLine(CultureInfo.InvariantCulture,
                $"memory at {page + (ulong)first:x}: processor {BitConverter.ToUInt64(there[first..]):x16}, engine {BitConverter.ToUInt64(here[first..]):x16}");
            return true;
        }

        /// <summary>Makes the processor's memory what the engine's is.</summary>
        private void Synchronise()
        {
            for (ulong page = TestVcpu.Base + 4096; page < TestVcpu.Base + (TestVcpu.Pages * 4096); page += 4096)
                _vcpu.At(page).CopyTo(SiliconProcessor.Memory(page, 4096));
        }
    }
}
