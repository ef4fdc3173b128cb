using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// A straight run of pre-decoded instructions: entered at its start only, left at its end (or by a fault). Valid while its frame's
/// word in the <see cref="CodeMap"/> is <see cref="Word"/> and its address still maps that frame, which <see cref="Stamp"/> vouches for.
/// Lies in a <see cref="BlockArena"/>, its ops right behind it.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Block
{
    /// <summary>Linear address of the first instruction.</summary>
    public ulong Rip;

    /// <summary>The TLB stamp at which the mapping was checked last; 0 (never current) for blocks that cross a page.</summary>
    public ulong Stamp;

    /// <summary>Where the frame's word in the code map is.</summary>
    public nint CodeWord;

    /// <summary>What the frames' words in the code map must be.</summary>
    public uint Word;

    public uint TailWord;

    /// <summary>Where the block went last time: not taken, or the only way.</summary>
    public BlockRef Next;

    /// <summary>Where the block went last time when its branch was taken.</summary>
    public BlockRef Taken;

    /// <summary>Next block in the same bucket of the block cache.</summary>
    public BlockRef Bucket;

    /// <summary>The frame that holds the code.</summary>
    public Mfn Frame;

    /// <summary>The frame of the last instruction's tail when it crosses into the next page, else <see cref="Frame"/>.</summary>
    public Mfn TailFrame;

    /// <summary>Guest instructions in the block.</summary>
    public int InstructionCount;

    public int OpCount;

    /// <summary><b>Units</b>: bytes.</summary>
    public int Length;

    public readonly bool CrossesPage => TailFrame != Frame;
}

/// <summary>
/// A block by its address, or none. Addresses, not references, so that going from block to block costs no write barrier.
/// </summary>
internal readonly unsafe struct BlockRef(nint address)
{
    private readonly Block* _block = (Block*)address;

    public bool IsNone => _block == null;

    /// <summary>The block. Not for none.</summary>
    public ref Block Value
    {
        // SAFETY: addresses come from BlockArena.Add; the arena keeps what it has handed out until the clearing after the next one, and
        // clearing empties every place that holds addresses but the blocks themselves, which nobody enters any more.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref *_block;
    }

    /// <summary>The block's first op.</summary>
    public ref MicroOp First
    {
        // SAFETY: as above; a block has at least one op.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref Unsafe.AsRef<MicroOp>(_block + 1);
    }

    /// <summary>Whether the frame's code is still what was decoded.</summary>
    public bool IsUnwritten
    {
        // SAFETY: the word lies in the code map, which outlives the engine.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref *(uint*)_block->CodeWord) == _block->Word;
    }
}

/// <summary>Memory for an interpreter's blocks. Pinned, taken from one end, given back all at once.</summary>
internal sealed unsafe class BlockArena
{
    private const int ChunkSize = 1 << 18, MaxChunks = 128;

    private List<byte[]> _chunks = [];

    /// <summary>The chunks of before the last clearing: a block of theirs may still be running.</summary>
    private List<byte[]> _former = [];

    private byte* _free;
    private int _left;

    /// <summary>Whether there is room for one more block; if not, clear first.</summary>
    public bool HasRoom(int opCount) => _chunks.Count < MaxChunks || Size(opCount) <= _left;

    /// <summary>Copies a block and its ops into the arena.</summary>
    public BlockRef Add(in Block block, ReadOnlySpan<MicroOp> ops)
    {
        // SAFETY: the block and its ops fit into what is left of a pinned chunk, or into a fresh one.
        int size = Size(ops.Length);
        if (size > _left)
        {
            byte[] chunk = GC.AllocateUninitializedArray<byte>(Math.Max(ChunkSize, size), pinned: true);
            _chunks.Add(chunk);
            _free = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(chunk, 0);
            _left = chunk.Length;
        }

        byte* place = _free;
        _free += size;
        _left -= size;
        *(Block*)place = block;
        ops.CopyTo(new Span<MicroOp>(place + sizeof(Block), ops.Length));
        return new BlockRef((nint)place);
    }

    /// <summary>Gives everything back, at the next clearing.</summary>
    public void Clear()
    {
        _former = _chunks;
        _chunks = [];
        _left = 0;
    }

    private static int Size(int opCount) => (sizeof(Block) + (opCount * sizeof(MicroOp)) + 15) & ~15;
}
