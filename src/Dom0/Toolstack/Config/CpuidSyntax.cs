using System.Globalization;
using Xen.Cpu;

namespace Xen.Toolstack;

/// <summary>
/// How people say which processor features a guest does not have: xl's <c>"host,avx2=0,sse4.2=0"</c>, and xend's list of
/// <c>"leaf[,subleaf]:register=bits"</c> with 32 characters for each register, the highest bit first. <b>Source</b>: xl.cfg(5), cpuid.
/// </summary>
/// <remarks>Characters: 0 hides; 1 asks for the feature, which must be there; x, k and s leave it as it is.</remarks>
internal static class CpuidSyntax
{
    private const string Policy = "host", Flags = "01xks";

    /// <summary>Keys of xl's that take a number: what they say is the same for all guests here.</summary>
    private static readonly HashSet<string> Numbers =
        [.. "apicidsize brandid clflush family localapicid maxleaf maxhvleaf model nc proccount procpkg stepping".Split(' ')];

    /// <summary>The features that are to be hidden.</summary>
    /// <param name="text">A string in xl's syntax.</param>
    /// <param name="host">What a guest can have.</param>
    /// <exception cref="FormatException">What is wrong, as one sentence without its beginning.</exception>
    public static CpuFeatures ParseNames(string text, CpuFeatures host)
    {
        string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
        if (parts[0] != Policy)
            throw new FormatException($"must begin with '{Policy}', like \"host,avx2=0\", and begins with '{parts[0]}'");
        CpuFeatures hidden = CpuFeatures.None;
        for (int i = 1; i < parts.Length; i++)
        {
            string place = string.Create(CultureInfo.InvariantCulture, $"part {i + 1}, '{parts[i]}',");
            string[] pair = parts[i].Split('=', 2, StringSplitOptions.TrimEntries);
            if (pair.Length != 2 || pair[0].Length == 0)
                throw new FormatException($"is wrong in {place} which is not name=0: write it like avx2=0");
            hidden = hidden.Union(ParsePair(pair[0], pair[1], host, place));
        }

        return hidden;
    }

    /// <summary>As <see cref="ParseNames"/>, for one item of a list in xend's syntax.</summary>
    public static CpuFeatures ParseBits(string item, CpuFeatures host)
    {
        string[] halves = item.Split(':', 2, StringSplitOptions.TrimEntries);
        string[] leaves = halves[0].Split(',', StringSplitOptions.TrimEntries);
        uint leaf = 0, subleaf = 0;
        if (halves.Length != 2 || leaves.Length > 2 || !TryNumber(leaves[0], out leaf) || (leaves.Length == 2 && !TryNumber(leaves[1], out subleaf)))
            throw new FormatException($"is wrong in '{item}', which is not leaf:register=bits: write it like '1:ecx=xxx0xxxxxxxxxxxxxxxxxxxxxxxxxxxx'");
        CpuFeatures hidden = CpuFeatures.None;
        foreach (string part in halves[1].Split(',', StringSplitOptions.TrimEntries))
        {
            string[] pair = part.Split('=', 2, StringSplitOptions.TrimEntries);
            if (pair.Length != 2 || pair[1].Length != 32 || pair[1].Any(static c => !Flags.Contains(c, StringComparison.Ordinal)))
                throw new FormatException($"is wrong in '{part}', which is not a register with 32 characters of 0, 1, x, k and s: leave what is not to be changed x");
            hidden = hidden.Union(ParseRegister(leaf, subleaf, pair[0], pair[1], host));
        }

        return hidden;
    }

    private static CpuFeatures ParsePair(string name, string value, CpuFeatures host, string place)
    {
        if (Numbers.Contains(name))
            throw new FormatException($"is wrong in {place} which is a number that is the same for all guests: remove it");
        if (value.Length != 1 || !Flags.Contains(value[0], StringComparison.Ordinal))
            throw new FormatException($"is wrong in {place} whose value must be 0 (hide it), 1 (it must be there), or x, k, s (leave it)");
        bool known = CpuFeatureNames.TryFind(name, out CpuFeatures? feature);
        if (!known && !CpuFeatureNames.IsAbsent(name) && !CpuFeatureNames.IsFixed(name))
        {
            string? nearest = ConfigKeys.Nearest(name, CpuFeatureNames.All);
            throw new FormatException($"is wrong in {place} which names no processor feature: {(nearest is null ? "see xmdomain.cfg(5)" : $"perhaps '{nearest}' is meant")}");
        }

        if (CpuFeatureNames.IsFixed(name) && value[0] == '0')
            throw new FormatException($"is wrong in {place} which paravirtual kernels rely on: remove it");
        if (value[0] == '1' && !CpuFeatureNames.IsFixed(name) && !(known && host.Contains(feature!)))
            throw new FormatException($"is wrong in {place} which no guest can have on this host: remove it");
        return value[0] == '0' && known ? feature! : CpuFeatures.None;
    }

    private static CpuFeatures ParseRegister(uint leaf, uint subleaf, string register, string bits, CpuFeatures host)
    {
        uint zeros = Mask(bits, '0'), ones = Mask(bits, '1');
        CpuFeatureWord? word = (leaf, subleaf, register) switch
        {
            (1, _, "edx") => CpuFeatureWord.Leaf1Edx,
            (1, _, "ecx") => CpuFeatureWord.Leaf1Ecx,
            (7, 0, "ebx") => CpuFeatureWord.Leaf7Ebx,
            (7, 0, "ecx") => CpuFeatureWord.Leaf7Ecx,
            (0xD, 1, "eax") => CpuFeatureWord.LeafDEax,
            (0x8000_0001, _, "edx") => CpuFeatureWord.Extended1Edx,
            (0x8000_0001, _, "ecx") => CpuFeatureWord.Extended1Ecx,
            _ => null,
        };
        if (word is not { } feature)
        {
            return (zeros | ones) == 0 && register is "eax" or "ebx" or "ecx" or "edx"
                ? CpuFeatures.None
                : throw new FormatException(string.Create(CultureInfo.InvariantCulture,
                    $"is wrong for {register} of leaf 0x{leaf:x}, which lists no features: only those can be chosen (leaves 1, 7, 0xd,1 and 0x80000001)"));
        }

        if (!host.Contains(CpuFeatures.None.With(feature, ones)))
        {
            throw new FormatException(string.Create(CultureInfo.InvariantCulture,
                $"is wrong for {register} of leaf 0x{leaf:x}: a bit that is 1 there is a feature that no guest can have on this host; make it x"));
        }

        return CpuFeatures.None.With(feature, zeros);
    }

    private static uint Mask(string bits, char wanted)
    {
        uint mask = 0;
        foreach (char bit in bits)
            mask = (mask << 1) | (bit == wanted ? 1u : 0);
        return mask;
    }

    private static bool TryNumber(string text, out uint value) => text.StartsWith("0x", StringComparison.Ordinal)
        ? uint.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
        : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
