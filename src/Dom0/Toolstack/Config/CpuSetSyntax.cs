using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Xen.Toolstack;

/// <summary>How people write a set of processors: <c>0-3,^1</c>, <c>5</c>, <c>all</c>. <b>Source</b>: xmdomain.cfg(5), cpus.</summary>
public static class CpuSetSyntax
{
    /// <summary>Processor numbers are below this.</summary>
    public const int Most = 4096;

    /// <summary>Reads such a set; <c>all</c> has every number below <see cref="Most"/>. Fails on anything else and on an empty set.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out HashSet<int>? set)
    {
        HashSet<int> cpus = [];
        set = null;
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            bool remove = part.StartsWith('^');
            if (!TryParseRange(remove ? part[1..] : part, out int first, out int last))
                return false;
            for (int cpu = first; cpu <= last; cpu++)
                _ = remove ? cpus.Remove(cpu) : cpus.Add(cpu);
        }

        set = cpus.Count > 0 ? cpus : null;
        return set is not null;
    }

    private static bool TryParseRange(string text, out int first, out int last)
    {
        if (text == "all")
        {
            (first, last) = (0, Most - 1);
            return true;
        }

        int dash = text.IndexOf('-', StringComparison.Ordinal);
        last = 0;
        return TryParseCpu(dash < 0 ? text : text[..dash], out first) && TryParseCpu(dash < 0 ? text : text[(dash + 1)..], out last) && first <= last;
    }

    private static bool TryParseCpu(string text, out int cpu) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out cpu) && cpu < Most;
}
