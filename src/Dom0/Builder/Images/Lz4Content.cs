using Xen.Builder.Images.Codecs;

namespace Xen.Builder.Images;

/// <summary>A kernel in a frame of LZ4's: each block is a part.</summary>
internal sealed class Lz4Content : ImageContent
{
    /// <summary>How much of a part is unpacked where no more is needed. <b>Units</b>: bytes.</summary>
    private const int Beginning = 64 << 10;

    private readonly string _file;
    private readonly CodecLibrary _library;
    private readonly Lz4 _lz4;
    private readonly ReadOnlyMemory<byte> _packed;
    private readonly Range[] _blocks;
    private readonly ImageMemory _memory;
    private readonly Lock[] _locks;

    /// <summary>How much of each part has been unpacked, from its beginning on. Guarded by its lock. <b>Units</b>: bytes.</summary>
    private readonly int[] _unpacked;

    private Lz4Content(string file, CodecLibrary library, ReadOnlyMemory<byte> packed, Range[] blocks, ImageMemory memory)
        : base(memory.Memory, memory)
    {
        _file = file;
        _library = library;
        _lz4 = new Lz4(library);
        _packed = packed;
        _blocks = blocks;
        _memory = memory;
        _locks = [.. blocks.Select(static _ => new Lock())];
        _unpacked = new int[blocks.Length];
    }

    /// <summary>Takes a frame to unpack in parts.</summary>
    /// <param name="file">The file, for messages.</param>
    /// <param name="packed">The frame, which must last as long as the content.</param>
    /// <param name="size">What it should unpack to. <b>Units</b>: bytes.</param>
    /// <returns>Null if it has to be unpacked as a whole.</returns>
    /// <exception cref="ImageException">The library is missing, or the host has no room.</exception>
    public static Lz4Content? TryOpen(string file, ReadOnlyMemory<byte> packed, int size)
    {
        if (Lz4Frame.FindBlocks(packed.Span, size) is not { } blocks)
        {
            return null;
        }

        var library = CodecLibrary.Open(file, CompressionFormat.Lz4);
        ImageMemory? memory = null;
        try
        {
            memory = ImageMemory.Allocate(file, size);
            return new Lz4Content(file, library, packed, blocks, memory);
        }
        catch
        {
            memory?.Dispose();
            library.Dispose();
            throw;
        }
    }

    public override bool HasPart(int part)
    {
        lock (_locks[part])
        {
            return _unpacked[part] == PartRange(part).Length;
        }
    }

    public override void ForgetPart(int part)
    {
        var (offset, length) = PartRange(part);
        lock (_locks[part])
        {
            _memory.Forget(offset, length);
            _unpacked[part] = 0;
        }
    }

    protected override void NeedPart(int part, int length)
    {
        var (offset, whole) = PartRange(part);
        lock (_locks[part])
        {
            if (_unpacked[part] >= length)
            {
                return;
            }

            // Headers are at the beginning: what is behind them is not touched yet.
            var packed = _packed.Span[_blocks[part]];
            var unpacked = _memory.GetSpan().Slice(offset, whole);
            if (length <= Beginning && Beginning < whole && _lz4.UnpackBeginning(packed, unpacked[..Beginning]) == Beginning)
            {
                _unpacked[part] = Beginning;
                return;
            }

            if (_lz4.Unpack(packed, unpacked) != whole)
            {
                throw Payload.Damaged(_file, CompressionFormat.Lz4);
            }

            _unpacked[part] = whole;
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _library.Dispose();
    }
}
