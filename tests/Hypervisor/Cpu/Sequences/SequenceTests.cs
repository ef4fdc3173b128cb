using System.Globalization;
using Xunit.Abstractions;

namespace Xen.Cpu.Tests;

/// <summary>
/// The translator against the interpreter: random programs, the same state, the same outcome. What single instructions do is the silicon tests' business;
/// here is what instructions do to each other: liveness of flags, shared checks, links between blocks, faults in the middle, code that changes.
/// XEN_SEQUENCE_COUNT says how many instructions in all programs together, XEN_SEQUENCE_SEED where to start (from the start of its batch).
/// </summary>
public sealed class SequenceTests(ITestOutputHelper output)
{
    private const int DefaultCount = 200_000, MaxReports = 5;

    private static readonly int Count =
        int.TryParse(Environment.GetEnvironmentVariable("XEN_SEQUENCE_COUNT"), CultureInfo.InvariantCulture, out int wanted) ? wanted : DefaultCount;

    private static readonly ulong Seed =
        ulong.TryParse(Environment.GetEnvironmentVariable("XEN_SEQUENCE_SEED"), CultureInfo.InvariantCulture, out ulong seed) ? seed : 1;

    [Fact]
    public void RandomPrograms_HaveTheSameOutcomeOnBothEngines()
    {
        var reports = new List<string>();
        int instructions = 0, programs = 0, useless = 0, faults = 0, completed = 0;
        long evictions = 0;
        ulong seed = Seed - (Seed % SequenceMachine.Slots);
        while (instructions < Count && reports.Count < MaxReports)
        {
            using var comparison = new SequenceComparison(IsForgetful(seed));
            for (int slot = 0; slot < SequenceMachine.Slots && reports.Count < MaxReports && !comparison.IsSpoilt; slot++, seed++)
            {
                SequenceProgram program = SequenceGenerator.Make(seed);
                SequenceOutcome outcome = comparison.Compare(program);
                programs++;
                if (outcome == SequenceOutcome.Useless)
                {
                    useless++;
                    output.WriteLine($"seed {seed}: {comparison.Report}");
                }
                else
                    instructions += program.InstructionCount;
                if (outcome == SequenceOutcome.Different)
                    reports.Add(Report(program, comparison.Report));
            }

            faults += comparison.Faults;
            completed += comparison.Completed;
            evictions += comparison.Evictions;
        }

        output.WriteLine($"{programs} programs of {instructions} instructions, {completed} runs to the end, {faults} faults, {evictions} evictions, {useless} programs useless");
        Assert.True(reports.Count == 0, string.Join("\n\n", reports));
        Assert.True(useless * 20 < programs, $"{useless} of {programs} programs say nothing");
        Assert.True(evictions > programs, $"only {evictions} evictions of code");
        Assert.True(completed > programs, $"only {completed} runs of {programs} programs came to the end");
    }

    /// <summary>Whether the programs of a seed's batch run where code is evicted all the time.</summary>
    private static bool IsForgetful(ulong seed) => seed / SequenceMachine.Slots % 4 >= 2;

    /// <summary>The smallest program that still differs; or the whole one, if it differs only after others.</summary>
    private static string Report(SequenceProgram program, string inBatch)
    {
        string where = $"seed {program.Seed}, {program.InstructionCount} instructions";
        if (!Differs(program, out string report))
            return $"{where}: differs only after the programs before\n{program.Disassemble()}{inBatch}";
        SequenceProgram smallest = program;
        bool shrunk = true;
        while (shrunk)
        {
            shrunk = false;
            foreach (SequenceProgram candidate in smallest.Smaller())
            {
                if (!Differs(candidate, out string smaller))
                    continue;
                (smallest, report, shrunk) = (candidate, smaller, true);
                break;
            }
        }

        return $"{where}, of which {smallest.InstructionCount} are left\n{smallest.Disassemble()}{report}";
    }

    private static bool Differs(SequenceProgram program, out string report)
    {
        using var comparison = new SequenceComparison(IsForgetful(program.Seed));
        bool differs = comparison.Compare(program) == SequenceOutcome.Different;
        report = comparison.Report;
        return differs;
    }
}
