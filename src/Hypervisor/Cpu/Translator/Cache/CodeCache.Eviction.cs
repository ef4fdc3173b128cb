using Xen.Abi;

namespace Xen.Cpu;

/// <summary>Makes room: the part of the memory that was filled first is emptied. Nobody is in emitted code meanwhile.</summary>
/// <remarks>
/// Whatever leads to a block of that part leaves for the engine afterwards: patched jumps, the jump tables. What a block of the part leads to
/// forgets it. So numbers of blocks and exits can be used again. The entries of voided blocks need no care: they lead to blocks that were made later, which
/// stay longer.
/// </remarks>
internal sealed partial class CodeCache
{
    private readonly HashSet<ulong> _swept = [];

    /// <summary>Begins to fill the next part, of which everything is dropped first.</summary>
    /// <returns>Whether anything was.</returns>
    public bool Evict()
    {
        _current = (_current + 1) % _regions.Length;
        bool any = _regions[_current].Used != 0;
        if (any)
            Evict(_current);
        return any;
    }

    private void Evict(int number)
    {
        CodeRegion region = _regions[number];
        for (int i = 0; i < region.Exits.Count; i++)
        {
            ref BlockExit exit = ref region.Exits[i];
            if (exit.Target >= 0 && RegionOf(exit.Target) != number)
                RemoveIncoming(ref exit);
        }

        _swept.Clear();
        for (int i = 0; i < region.Blocks.Count; i++)
            Forget((number << IndexBits) | i, ref region.Blocks[i]);
        foreach (JumpTable? table in _jumpTables)
            table?.Forget(_memory.AddressOf(region.HotStart), _memory.AddressOf(region.HotEnd));
        Used -= region.Used;
        region.Clear();
    }

    private void Forget(int number, ref TranslatedBlock block)
    {
        int region = RegionOf(number);
        for (int id = block.FirstIncoming; id >= 0;)
        {
            ref BlockExit exit = ref ExitOf(id);
            int next = exit.NextIncoming;
            if (RegionOf(exit.Block) != region)
                Unlink(id, ref exit);
            id = next;
        }

        RemoveFromBucket(number, in block);
        Sweep(block.Frame, region);
        if (block.CrossesPage)
            Sweep(block.Tail, region);
    }

    private void RemoveFromBucket(int number, in TranslatedBlock block)
    {
        ref int link = ref _buckets[Bucket(block.Rip)];
        while (link >= 0 && link != number)
            link = ref Block(link).NextInBucket;
        if (link == number)
            link = block.NextInBucket;
    }

    /// <summary>Takes a region's blocks out of a frame's lists.</summary>
    private void Sweep(Mfn frame, int region)
    {
        if (!_swept.Add(frame.Value) || !_frames.TryGetValue(frame.Value, out CodeFrame? code))
            return;
        for (ref int link = ref code.First; link >= 0;)
        {
            ref TranslatedBlock block = ref Block(link);
            if (RegionOf(link) == region)
                link = block.NextInFrame;
            else
                link = ref block.NextInFrame;
        }

        for (ref int link = ref code.FirstTail; link >= 0;)
        {
            ref TranslatedBlock block = ref Block(link);
            if (RegionOf(link) == region)
                link = block.NextInTail;
            else
                link = ref block.NextInTail;
        }

        if (code.First < 0 && code.FirstTail < 0 && code.Writes == 0)
            _frames.Remove(frame.Value);
    }
}
