using System.Globalization;
using Xen.Abi;
using Xen.Core;
using Xen.Cpu;

namespace Xen.Toolstack;

/// <summary>What the debug keys print (<c>xm debug-keys</c>).</summary>
internal static class DebugKeys
{
    /// <summary>The lines of a key.</summary>
    public static IReadOnlyList<string> Print(Machine machine, char key)
    {
        List<string> lines = [string.Create(CultureInfo.InvariantCulture, $"'{key}' pressed at {machine.Clock.Now / 1e9:f3} s")];
        switch (key)
        {
            case 'h':
                lines.AddRange(["h: this list", "q: domains and their counters", "d: registers, stacks and last events of all vCPUs", "r: run states", "m: memory", "e: what the CPU engines do"]);
                break;
            case 'q':
                PrintDomains(lines, machine);
                break;
            case 'd':
                PrintVcpus(lines, machine);
                break;
            case 'r':
                PrintRunstates(lines, machine);
                break;
            case 'm':
                lines.Add(string.Create(CultureInfo.InvariantCulture, $"{machine.Memory.FrameCount} frames, {machine.Allocator.FreeFrames} free"));
                break;
            case 'e':
                PrintEngines(lines, machine);
                break;
            default:
                lines.Add("no such key; h lists them");
                break;
        }

        return lines;
    }

    private static void PrintDomains(List<string> lines, Machine machine)
    {
        foreach (Domain domain in machine.Domains)
        {
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"{domain.Id} {domain.Name}: {domain.TotalPages} pages, {domain.Vcpus.Count} vcpus, paused {domain.PauseCount}{(domain.IsShutDown ? ", shut down" : "")}"));
            foreach (string line in CounterText.Describe(domain.SumCounters()))
                lines.Add("  " + line);
        }
    }

    private static void PrintVcpus(List<string> lines, Machine machine)
    {
        foreach (Domain domain in machine.Domains)
        {
            domain.Pause();
            foreach (Vcpu vcpu in domain.Vcpus)
            {
                if (vcpu.IsInitialised)
                    CrashReport.AddVcpu(lines, vcpu);
            }

            domain.Unpause();
        }
    }

    private static void PrintEngines(List<string> lines, Machine machine)
    {
        foreach (Domain domain in machine.Domains)
        {
            foreach (Vcpu vcpu in domain.Vcpus)
            {
                lines.Add($"{vcpu} {vcpu.Engine.GetType().Name}");
                if (vcpu.Engine is Translator { Statistics: { } statistics })
                {
                    // Its thread counts while this reads: pausing it makes the figures agree.
                    domain.Pause();
                    lines.AddRange(statistics.Print().Select(static line => "  " + line));
                    domain.Unpause();
                }
            }
        }
    }

    private static void PrintRunstates(List<string> lines, Machine machine)
    {
        var control = new DomainControl(machine);
        foreach (Domain domain in machine.Domains)
        {
            foreach (Vcpu vcpu in domain.Vcpus)
            {
                VcpuRunstateInfo info = control.GetRunstate(vcpu);
                lines.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{vcpu} {info.State}: running {info.Time[0] / 1e9:f3} s, runnable {info.Time[1] / 1e9:f3}, blocked {info.Time[2] / 1e9:f3}, offline {info.Time[3] / 1e9:f3}; {(vcpu.Engine.InstructionsRetired is { } retired ? $"{retired} instructions" : "instructions not counted")}"));
            }
        }
    }
}
