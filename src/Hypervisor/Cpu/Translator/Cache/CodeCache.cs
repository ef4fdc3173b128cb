using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// An engine's translated blocks: their code, and how they are found and voided. Bounded: the memory is in parts, which are filled one after the other; when
/// the last one is full, the first is emptied, and so on.
/// <code>
/// code memory:  trampolines | blocks: part 0 | part 1 | ...        | exits of blocks: part 0 | part 1 | ...        |
///
///                 31 30                  22 21                    0
/// block number:  +--+----------------------+-----------------------+
///                |  | part                 | index                 |     (an exit's number, too, plus the first one)
///                +--+----------------------+-----------------------+
/// </code>
/// Read next: Links (jumps from block to block), Eviction.
/// </summary>
internal sealed partial class CodeCache : IDisposable
{
    /// <summary>Bits of an index within a part.</summary>
    internal const int IndexBits = 22;

    private const int BucketBits = 17, IndexMask = (1 << IndexBits) - 1;

    /// <summary>What a part should have, and how many there are at least and at most.</summary>
    private const int RegionSize = 512 << 10, LeastRegions = 8, MostRegions = 512;

    private readonly CodeMemory _memory;
    private readonly Emitter _emitter;
    private readonly Dictionary<ulong, CodeFrame> _frames = [];
    private readonly int[] _buckets = new int[1 << BucketBits];
    private readonly JumpTable?[] _jumpTables = new JumpTable?[(int)BlockVariant.StateMask + 1];
    private JumpTable? _emptyJumpTable;
    private readonly CodeRegion[] _regions;
    private int _current;
    private int _hotReady;
    private int _coldReady;

    /// <param name="size">Bytes of code memory.</param>
    public CodeCache(int size)
    {
        _memory = new CodeMemory(size);
        _emitter = new Emitter(_memory);
        Trampolines = new Trampolines(_memory, _emitter);
        int coldStart = (size / 5 * 3) & ~63;
        _coldReady = coldStart;
        Translator = new BlockEmitter(this, _emitter, Trampolines);
        Array.Fill(_buckets, -1);
        _regions = new CodeRegion[Math.Clamp(size / RegionSize, LeastRegions, MostRegions)];
        int hot = ((coldStart - Trampolines.End) / _regions.Length) & ~63, cold = ((size - coldStart) / _regions.Length) & ~63;
        for (int i = 0; i < _regions.Length; i++)
        {
            int hotStart = Trampolines.End + (i * hot), start = coldStart + (i * cold);
            _regions[i] = new CodeRegion(hotStart, hotStart + hot, start, start + cold);
        }
    }

    public CodeMemory Memory => _memory;

    public Trampolines Trampolines { get; }

    /// <summary>Makes the blocks.</summary>
    public BlockEmitter Translator { get; }

    public ref TranslatedBlock Block(int number) => ref _regions[RegionOf(number)].Blocks[number & IndexMask];

    public ref readonly BlockExit Exit(int id) => ref ExitOf(id);

    /// <summary>Whether there is room for one more block; if not, evict first.</summary>
    public bool HasRoom => Current.HasRoom && Current.Blocks.Count < BlocksPerPart;

    /// <summary>Blocks after which a part is full, even if it has room: few of them, and evictions are frequent.</summary>
    public int BlocksPerPart { get; set; } = int.MaxValue;

    /// <summary>Parts that the memory has.</summary>
    public int RegionCount => _regions.Length;

    /// <summary>Code that there is. <b>Units</b>: bytes.</summary>
    public int Used { get; private set; }

    private CodeRegion Current => _regions[_current];

    /// <summary>Where the next block goes.</summary>
    public int Reserve(out int hot, out int cold)
    {
        CodeRegion region = Current;
        hot = region.Hot;
        cold = region.Cold;
        _hotReady = _memory.Populate(_hotReady, hot + BlockEmitter.MaxBodySize);
        _coldReady = _memory.Populate(_coldReady, cold + BlockEmitter.MaxColdSize);
        return (_current << IndexBits) | region.Blocks.Count;
    }

    /// <summary>Numbers an exit of the block being emitted.</summary>
    public int AddExit(in BlockExit exit)
    {
        int index = Current.Exits.Add(in exit);
        Current.Exits[index].Target = -1;
        return ((_current << IndexBits) | index) + Trampolines.FirstBlockExit;
    }

    /// <summary>Adds the block that was emitted where <see cref="Reserve"/> said.</summary>
    public int Add(in TranslatedBlock block, int hotEnd, int coldEnd)
    {
        CodeRegion region = Current;
        int number = (_current << IndexBits) | region.Blocks.Add(in block);
        Used -= region.Used;
        region.Advance(hotEnd, coldEnd);
        Used += region.Used;
        ref TranslatedBlock added = ref Block(number);
        added.FirstIncoming = -1;
        ReplaceDead(in added);
        ref int bucket = ref _buckets[Bucket(block.Rip)];
        added.NextInBucket = bucket;
        bucket = number;
        CodeFrame frame = FrameOf(block.Frame);
        added.NextInFrame = frame.First;
        added.PreviousInFrame = -1;
        if (frame.First >= 0)
            Block(frame.First).PreviousInFrame = number;
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
        for (int i = _buckets[Bucket(rip)]; i >= 0; i = Block(i).NextInBucket)
        {
            ref TranslatedBlock block = ref Block(i);
            if (block.Rip == rip && block.Frame == frame && block.Variant == variant && !block.IsDead)
                return i;
        }

        return -1;
    }

    /// <summary>The block that a position is in, or -1.</summary>
    public int BlockAt(int position)
    {
        for (int i = 0; i < _regions.Length; i++)
        {
            int index = _regions[i].BlockAt(position);
            if (index >= 0)
                return (i << IndexBits) | index;
        }

        return -1;
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
        for (int i = code.First; i >= 0;)
        {
            ref TranslatedBlock block = ref Block(i);
            int next = block.NextInFrame;
            if (block.IsDead || (block.Lines & lines) != 0)
            {
                any |= Kill(i);
                RemoveFromFrame(ref block);
            }

            i = next;
        }

        for (int i = (lines & TailLines) != 0 ? code.FirstTail : -1; i >= 0; i = Block(i).NextInTail)
            any |= Kill(i);
        if ((lines & TailLines) != 0)
            code.FirstTail = -1;
        if (any && lines == CodeChange.AllLines)
            code.Writes++;
        return any;
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

    /// <summary>One that nothing is entered into: with it every indirect jump leaves for the engine.</summary>
    public JumpTable EmptyJumpTable => _emptyJumpTable ??= new JumpTable(_memory.AddressOf(Trampolines.Lookup));

    public void Dispose() => _memory.Dispose();

    private static int RegionOf(int number) => number >> IndexBits;

    private ref BlockExit ExitOf(int id)
    {
        int number = id - Trampolines.FirstBlockExit;
        return ref _regions[RegionOf(number)].Exits[number & IndexMask];
    }

    private static int Bucket(ulong rip) => (int)((rip * 0x9E37_79B9_7F4A_7C15ul) >> (64 - BucketBits));

    private sealed class CodeFrame
    {
        /// <summary>The first block that begins in the frame, or -1.</summary>
        public int First = -1;

        /// <summary>The first block that ends in the frame, or -1.</summary>
        public int FirstTail = -1;

        public int Writes;
    }
}
