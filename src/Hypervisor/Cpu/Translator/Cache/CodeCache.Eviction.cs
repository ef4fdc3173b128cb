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
        if (block.CrossesPage)
            RemoveFromTail(number, in block);
        if (RemoveFromFrame(ref block))
            RemoveIfEmpty(block.Frame, _frames[block.Frame.Value]);
    }

    private void RemoveFromBucket(int number, in TranslatedBlock block)
    {
        ref int link = ref _buckets[Bucket(block.Rip)];
        while (link >= 0 && link != number)
            link = ref Block(link).NextInBucket;
        if (link == number)
            link = block.NextInBucket;
    }

    private void RemoveFromTail(int number, in TranslatedBlock block)
    {
        if (!_frames.TryGetValue(block.Tail.Value, out CodeFrame? tail))
            return;
        ref int link = ref tail.FirstTail;
        while (link >= 0 && link != number)
            link = ref Block(link).NextInTail;
        if (link == number)
            link = block.NextInTail;
        RemoveIfEmpty(block.Tail, tail);
    }

    /// <summary>Takes a block out of its frame's list, if it is there. Returns whether it was the last one.</summary>
    private bool RemoveFromFrame(ref TranslatedBlock block)
    {
        if (block.PreviousInFrame == TranslatedBlock.Unlisted)
            return false;
        if (block.NextInFrame >= 0)
            Block(block.NextInFrame).PreviousInFrame = block.PreviousInFrame;
        bool isFirst = block.PreviousInFrame < 0;
        if (isFirst)
            _frames[block.Frame.Value].First = block.NextInFrame;
        else
            Block(block.PreviousInFrame).NextInFrame = block.NextInFrame;
        block.PreviousInFrame = TranslatedBlock.Unlisted;
        return isFirst && block.NextInFrame < 0;
    }

    private void RemoveIfEmpty(Mfn number, CodeFrame frame)
    {
        if (frame.First < 0 && frame.FirstTail < 0 && frame.Writes == 0)
            _frames.Remove(number.Value);
    }
}
