using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// An engine's translated blocks: their code, and how they are found and voided. Bounded: when the code memory is full, everything is dropped.
/// <code>
/// code memory:  trampolines | blocks -->                    | exits of blocks -->          |
/// </code>
/// </summary>
internal sealed class CodeCache : IDisposable
{
    private const int BucketBits = 17, BlocksTogether = 4096, ExitsTogether = 16384;

    private readonly CodeMemory _memory;
    private readonly Emitter _emitter;
    private readonly Dictionary<ulong, CodeFrame> _frames = [];
    private readonly int[] _buckets = new int[1 << BucketBits];
    private readonly JumpTable?[] _jumpTables = new JumpTable?[(int)BlockVariant.StateMask + 1];
    private readonly ChunkedList<TranslatedBlock> _blocks = new(BlocksTogether);
    private readonly ChunkedList<BlockExit> _exits = new(ExitsTogether);
    private readonly int _coldStart;
    private int _hot;
    private int _hotReady;
    private int _cold;
    private int _coldReady;

    /// <param name="size">Bytes of code memory.</param>
    public CodeCache(int size)
    {
        _memory = new CodeMemory(size);
        _emitter = new Emitter(_memory);
        Trampolines = new Trampolines(_memory, _emitter);
        _coldStart = (size / 5 * 3) & ~63;
        _coldReady = _coldStart;
        Translator = new BlockEmitter(this, _emitter, Trampolines);
        Clear();
    }

    public CodeMemory Memory => _memory;

    public Trampolines Trampolines { get; }

    /// <summary>Makes the blocks.</summary>
    public BlockEmitter Translator { get; }

    public ref TranslatedBlock Block(int number) => ref _blocks[number];

    public ref readonly BlockExit Exit(int id) => ref _exits[id - Trampolines.FirstBlockExit];

    /// <summary>Whether there is room for one more block; if not, clear first.</summary>
    public bool HasRoom => _hot + BlockEmitter.MaxBodySize < _coldStart && _cold + BlockEmitter.MaxColdSize < _memory.Size;

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        Array.Fill(_buckets, -1);
        _frames.Clear();
        foreach (JumpTable? table in _jumpTables)
            table?.Clear();
        _blocks.Clear();
        _exits.Clear();
        _hot = Trampolines.End;
        _cold = _coldStart;
    }

    /// <summary>Where the next block goes.</summary>
    public int Reserve(out int hot, out int cold)
    {
        hot = _hot;
        cold = _cold;
        _hotReady = _memory.Populate(_hotReady, hot + BlockEmitter.MaxBodySize);
        _coldReady = _memory.Populate(_coldReady, cold + BlockEmitter.MaxColdSize);
        return _blocks.Count;
    }

    /// <summary>Numbers an exit of the block being emitted.</summary>
    public int AddExit(in BlockExit exit) => _exits.Add(in exit) + Trampolines.FirstBlockExit;

    /// <summary>Adds the block that was emitted where <see cref="Reserve"/> said.</summary>
    public int Add(in TranslatedBlock block, int hotEnd, int coldEnd)
    {
        int number = _blocks.Add(in block);
        (_hot, _cold) = (hotEnd, coldEnd);
        ref TranslatedBlock added = ref _blocks[number];
        ReplaceDead(in added);
        ref int bucket = ref _buckets[Bucket(block.Rip)];
        added.NextInBucket = bucket;
        bucket = number;
        CodeFrame frame = FrameOf(block.Frame);
        added.NextInFrame = frame.First;
        frame.First = number;
        if (added.CrossesPage)
        {
            CodeFrame tail = FrameOf(block.Tail);
            added.NextInTail = tail.FirstTail;
            tail.FirstTail = number;
        }

        return number;
    }

    private CodeFrame FrameOf(Mfn frame)
    {
        if (!_frames.TryGetValue(frame.Value, out CodeFrame? known))
            _frames.Add(frame.Value, known = new CodeFrame());
        return known;
    }

    /// <summary>The block at an address in a frame, or -1.</summary>
    public int Find(ulong rip, Mfn frame, BlockVariant variant)
    {
        for (int i = _buckets[Bucket(rip)]; i >= 0; i = _blocks[i].NextInBucket)
        {
            ref TranslatedBlock block = ref _blocks[i];
            if (block.Rip == rip && block.Frame == frame && block.Variant == variant && !block.IsDead)
                return i;
        }

        return -1;
    }

    /// <summary>The block that a position is in, or -1.</summary>
    public int BlockAt(int position)
    {
        bool isCold = position >= _coldStart;
        if (position < Trampolines.End || (isCold ? position >= _cold : position >= _hot))
            return -1;
        int low = 0, high = _blocks.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if ((isCold ? _blocks[middle].GoneKeepingFlags : _blocks[middle].Indirect) <= position)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return high;
    }

    /// <summary>Voids code of a frame. Nobody is in it.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="lines">The lines that were written.</param>
    /// <returns>Whether there was any.</returns>
    public bool Invalidate(Mfn frame, ulong lines)
    {
        const ulong TailLines = 1;
        if (!_frames.TryGetValue(frame.Value, out CodeFrame? code))
            return false;
        bool any = false;
        for (ref int link = ref code.First; link >= 0;)
        {
            ref TranslatedBlock block = ref _blocks[link];
            if (!block.IsDead && (block.Lines & lines) == 0)
            {
                link = ref block.NextInFrame;
                continue;
            }

            any |= Kill(link);
            link = block.NextInFrame;
        }

        for (int i = (lines & TailLines) != 0 ? code.FirstTail : -1; i >= 0; i = _blocks[i].NextInTail)
            any |= Kill(i);
        if ((lines & TailLines) != 0)
            code.FirstTail = -1;
        if (any && lines == CodeChange.AllLines)
            code.Writes++;
        return any;
    }

    /// <summary>Lets nobody enter a block any more: its entries leave for the engine.</summary>
    /// <returns>Whether it was alive.</returns>
    public bool Kill(int number)
    {
        ref TranslatedBlock block = ref _blocks[number];
        if (block.IsDead)
            return false;
        block.IsDead = true;
        Redirect(in block, Trampolines.Lookup, block.Gone, block.GoneKeepingFlags, block.GoneKeepingFlags, block.Gone);
        return true;
    }

    private void Redirect(in TranslatedBlock block, int indirect, int far, int backward, int body, int saved)
    {
        // Entries may be one and the same: what is written last is for all of those, and must be right for the one that asks most.
        _memory.WriteJump(block.Indirect, indirect);
        _memory.WriteJump(block.Far, far);
        _memory.WriteJump(block.Saved, saved);
        _memory.WriteJump(block.Backward, backward);
        _memory.WriteJump(block.Body, body);
    }

    /// <summary>How often code of a frame was voided.</summary>
    public int WritesOf(Mfn frame) => _frames.TryGetValue(frame.Value, out CodeFrame? code) ? code.Writes : 0;

    /// <summary>Forgets how often frames were written, so that they are translated again.</summary>
    public void ForgiveWrites()
    {
        foreach (CodeFrame frame in _frames.Values)
            frame.Writes = 0;
    }

    /// <summary>The frames that have code.</summary>
    public IEnumerable<Mfn> Frames => _frames.Where(static frame => frame.Value.First >= 0 || frame.Value.FirstTail >= 0).Select(static frame => new Mfn(frame.Key));

    /// <summary>The jump table for a kind of code.</summary>
    public JumpTable JumpTableOf(BlockVariant variant) =>
        _jumpTables[(int)(variant & BlockVariant.StateMask)] ??= new JumpTable(_memory.AddressOf(Trampolines.Lookup));

    /// <summary>Lets a jump go to a block.</summary>
    /// <param name="exit">The jump.</param>
    /// <param name="target">The block.</param>
    public void Link(in BlockExit exit, int target)
    {
        ref TranslatedBlock from = ref _blocks[exit.Block];
        ref TranslatedBlock to = ref _blocks[target];
        if (from.IsDead)
            return;
        if (exit.FlagsAreSaved)
            _memory.PatchJump(exit.Site, to.Far);
        else if (from.Frame == to.Frame && !to.CrossesPage)
            _memory.PatchJump(exit.Site, to.Rip <= from.Rip ? to.Backward : to.Body);
    }

    /// <summary>Lets a group's failed check go to a block without groups, for the same address.</summary>
    public void LinkCareful(in BlockExit exit, int target)
    {
        if (!_blocks[exit.Block].IsDead)
            _memory.WriteJump(exit.Site, exit.FlagsAreSaved ? _blocks[target].Saved : _blocks[target].Body);
    }

    public void Dispose() => _memory.Dispose();

    private static int Bucket(ulong rip) => (int)((rip * 0x9E37_79B9_7F4A_7C15ul) >> (64 - BucketBits));

    /// <summary>Sends those who still go to a voided block to the one that takes its place.</summary>
    private void ReplaceDead(in TranslatedBlock replacement)
    {
        ref int link = ref _buckets[Bucket(replacement.Rip)];
        while (link >= 0)
        {
            ref TranslatedBlock block = ref _blocks[link];
            if (block.IsDead && block.Rip == replacement.Rip && block.Variant == replacement.Variant)
            {
                Redirect(in block, replacement.Indirect, replacement.Far, replacement.Backward, replacement.Body, replacement.Saved);

                // Nobody will look for it: what is sent to it goes on to its replacement, whatever becomes of that.
                link = block.NextInBucket;
                continue;
            }

            link = ref block.NextInBucket;
        }
    }

    private sealed class CodeFrame
    {
        /// <summary>The first block that begins in the frame, or -1.</summary>
        public int First = -1;

        /// <summary>The first block that ends in the frame, or -1.</summary>
        public int FirstTail = -1;

        public int Writes;
    }
}
