namespace Xen.Cpu;

/// <summary>A part of the code memory, and the blocks in it: filled in one go, emptied in one go.</summary>
/// <param name="hotStart">Where its blocks' code begins.</param>
/// <param name="hotEnd">Behind it.</param>
/// <param name="coldStart">Where the code of its blocks' exits begins.</param>
/// <param name="coldEnd">Behind it.</param>
internal sealed class CodeRegion(int hotStart, int hotEnd, int coldStart, int coldEnd)
{
    private const int BlocksTogether = 1024, ExitsTogether = 2048;

    public ChunkedList<TranslatedBlock> Blocks { get; } = new(BlocksTogether);

    public ChunkedList<BlockExit> Exits { get; } = new(ExitsTogether);

    public int HotStart { get; } = hotStart;

    public int HotEnd { get; } = hotEnd;

    public int ColdStart { get; } = coldStart;

    public int ColdEnd { get; } = coldEnd;

    /// <summary>Where the next block's code goes, and that of its exits.</summary>
    public int Hot { get; private set; } = hotStart;

    public int Cold { get; private set; } = coldStart;

    /// <summary>Code in it. <b>Units</b>: bytes.</summary>
    public int Used => Hot - HotStart + Cold - ColdStart;

    /// <summary>Whether there is room for one more block.</summary>
    public bool HasRoom => Hot + BlockEmitter.MaxBodySize < HotEnd && Cold + BlockEmitter.MaxColdSize < ColdEnd;

    /// <summary>Moves the ends behind a block that was emitted there.</summary>
    public void Advance(int hot, int cold) => (Hot, Cold) = (hot, cold);

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Blocks.Clear();
        Exits.Clear();
        Advance(HotStart, ColdStart);
    }

    /// <summary>The index of the block that a position is in, or -1.</summary>
    public int BlockAt(int position)
    {
        bool isHot = position >= HotStart && position < Hot;
        if (!isHot && !(position >= ColdStart && position < Cold))
            return -1;
        int low = 0, high = Blocks.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if ((isHot ? Blocks[middle].Indirect : Blocks[middle].GoneKeepingFlags) <= position)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return high;
    }
}
