using Xen.Abi;

namespace Xen.Cpu;

/// <summary>An interpreter's decoded blocks, found by address and frame. Bounded: when full it is emptied.</summary>
internal sealed class BlockCache
{
    private const int BucketBits = 15;

    private readonly BlockRef[] _buckets = new BlockRef[1 << BucketBits];
    private readonly BlockArena _arena = new();

    /// <summary>The block at that address in that frame, still valid by its words; or none.</summary>
    public BlockRef Find(ulong rip, Mfn frame, CodeMap code)
    {
        ref BlockRef link = ref _buckets[Bucket(rip)];
        while (!link.IsNone)
        {
            BlockRef found = link;
            ref Block block = ref found.Value;
            if (block.Rip == rip && block.Frame == frame)
            {
                if (found.IsUnwritten && (!block.CrossesPage || code.Word(block.TailFrame) == block.TailWord))
                    return found;

                // Its code was written: nobody will ever need it again.
                link = block.Bucket;
                continue;
            }

            link = ref block.Bucket;
        }

        return default;
    }

    /// <summary>Keeps a block; it will be found from now on when <paramref name="remember"/>.</summary>
    /// <param name="block">The block.</param>
    /// <param name="ops">Its ops.</param>
    /// <param name="remember">Whether it will be found.</param>
    /// <param name="emptied">Whether the cache was full: all other blocks are void now.</param>
    public BlockRef Add(in Block block, ReadOnlySpan<MicroOp> ops, bool remember, out bool emptied)
    {
        emptied = !_arena.HasRoom(ops.Length);
        if (emptied)
            Clear();

        BlockRef added = _arena.Add(in block, ops);
        if (remember)
        {
            ref BlockRef first = ref _buckets[Bucket(block.Rip)];
            added.Value.Bucket = first;
            first = added;
        }

        return added;
    }

    /// <summary>Forgets all blocks. None is entered any more, by whatever way.</summary>
    public void Clear()
    {
        Array.Clear(_buckets);
        _arena.Clear();
    }

    private static int Bucket(ulong rip) => (int)((rip * 0x9E37_79B9_7F4A_7C15ul) >> (64 - BucketBits));
}
