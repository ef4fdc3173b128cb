using System.Globalization;
using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>Counters as text, one <c>name value</c> per line; what is 0 is left out.</summary>
public static class CounterText
{
    public static IReadOnlyList<string> Describe(VcpuCounters counters)
    {
        List<string> lines = [];
        AddEach(lines, "hypercall", counters.Hypercalls, static i => Enum.IsDefined((HypercallNumber)i) ? ((HypercallNumber)i).ToString() : Number(i));
        AddEach(lines, "exit", counters.Exits, static i => ((CpuExitReason)i).ToString());
        AddEach(lines, "fault", counters.Faults, Number);
        AddEach(lines, "emulated", counters.Emulated, static i => ((EmulatedInstruction)i).ToString());
        Add(lines, "hypercall.unknown", counters.UnknownHypercalls);
        Add(lines, "pagetable.writes", counters.PageTableWrites);
        Add(lines, "events.sent", counters.EventsSent);
        Add(lines, "upcalls", counters.Upcalls);
        Add(lines, "schedules", counters.Schedules);
        return lines;
    }

    private static void AddEach(List<string> lines, string group, ReadOnlySpan<long> values, Func<int, string> name)
    {
        for (int i = 0; i < values.Length; i++)
            Add(lines, values[i] == 0 ? "" : group + "." + name(i), values[i]);
    }

    private static void Add(List<string> lines, string name, long value)
    {
        if (value != 0)
            lines.Add(name + " " + value.ToString(CultureInfo.InvariantCulture));
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
