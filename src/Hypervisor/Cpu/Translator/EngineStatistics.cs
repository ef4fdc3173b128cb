using System.Globalization;
using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Why a translator came out of its code, for the debug keys: what is frequent here is slow.</summary>
/// <param name="codeSize">Code memory. <b>Units</b>: bytes.</param>
/// <param name="parts">Parts that it is evicted in.</param>
public sealed class EngineStatistics(int codeSize, int parts)
{
    private readonly long[] _exits = new long[(int)Enum.GetValues<BlockExitKind>().Max() + 1];
    private readonly Dictionary<Code, long> _interpreted = [];

    /// <summary>Blocks translated.</summary>
    public long Blocks { get; internal set; }

    /// <summary>Guest instructions translated.</summary>
    public long Instructions { get; internal set; }

    /// <summary>Code memory. <b>Units</b>: bytes.</summary>
    public int CodeSize => codeSize;

    /// <summary>Code that is in it. <b>Units</b>: bytes.</summary>
    public int CodeUsed { get; internal set; }

    /// <summary>Times when the code memory was full, so that a part of it was emptied.</summary>
    public long Evictions { get; private set; }

    /// <summary>The longest that took; the vCPU stands still meanwhile.</summary>
    public TimeSpan LongestEviction { get; private set; }

    /// <summary>Indirect branches that the jump table did not know.</summary>
    public long Lookups { get; internal set; }

    /// <summary>Accesses that the TLB was filled for.</summary>
    public long Fills { get; internal set; }

    /// <summary>Frames whose code was voided because they were written.</summary>
    public long WrittenFrames { get; internal set; }

    internal void Count(in BlockExit exit)
    {
        _exits[(int)exit.Kind]++;
        if (exit.Kind == BlockExitKind.Interpret)
            _interpreted[exit.Code] = _interpreted.GetValueOrDefault(exit.Code) + 1;
    }

    internal void CountEviction(TimeSpan duration)
    {
        Evictions++;
        if (duration > LongestEviction)
            LongestEviction = duration;
    }

    /// <summary>The figures, line by line.</summary>
    public IEnumerable<string> Print()
    {
        const int Most = 24;
        yield return string.Create(CultureInfo.InvariantCulture,
            $"{Blocks} blocks of {Instructions} instructions translated, {WrittenFrames} frames written");
        yield return string.Create(CultureInfo.InvariantCulture,
            $"code memory of {codeSize >> 20} MiB in {parts} parts, {CodeUsed / 1048576.0:f1} MiB used; {Evictions} parts emptied, the longest took {LongestEviction.TotalMicroseconds:f0} us");
        yield return string.Create(CultureInfo.InvariantCulture, $"{Lookups} indirect branches looked up, {Fills} TLB misses filled; exits: {Exits()}");
        foreach ((Code code, long count) in _interpreted.OrderByDescending(static pair => pair.Value).Take(Most))
            yield return string.Create(CultureInfo.InvariantCulture, $"{count,12} {code} interpreted");
    }

    private string Exits() => string.Join(", ", _exits.Select(static (count, kind) => string.Create(CultureInfo.InvariantCulture, $"{count} {(BlockExitKind)kind}")));
}
