using System.Buffers.Binary;

namespace Xen.Builder.Images.Codecs;

/// <summary>
/// LZ4's legacy frame, which Linux uses: the magic number, then blocks, each with its packed size in front. A block does not depend on others. All
/// unpack to 8 MiB but a frame's last, which may be smaller; another frame may follow.
/// <b>Source</b>: LZ4 frame format description, "Legacy frame".
/// </summary>
internal ref struct Lz4Frame(ReadOnlySpan<byte> packed)
{
    /// <summary>Most that a block unpacks to. <b>Units</b>: bytes.</summary>
    public const int MaxBlock = ImageContent.PartSize;

    private const uint Magic = 0x184C2102;

    private readonly ReadOnlySpan<byte> _packed = packed;
    private int _at;

    /// <summary>Whether a block reached beyond the end.</summary>
    public bool IsDamaged { get; private set; }

    /// <summary>Frames begun so far.</summary>
    public int Frames { get; private set; }

    /// <summary>Finds the blocks of a single frame that unpacks to a length, so that each one's place in it is known.</summary>
    /// <returns>Null if they cannot be told without unpacking them, or are not as many.</returns>
    public static Range[]? FindBlocks(ReadOnlySpan<byte> packed, int length)
    {
        var blocks = new Range[ImageContent.CountParts(length)];
        var frame = new Lz4Frame(packed);
        foreach (ref var block in blocks.AsSpan())
        {
            if (!frame.TryRead(out block))
            {
                return null;
            }
        }

        return !frame.TryRead(out _) && !frame.IsDamaged && frame.Frames == 1 ? blocks : null;
    }

    /// <summary>Unpacks all blocks, whatever their sizes. Returns whether they filled <paramref name="unpacked"/> exactly.</summary>
    public static bool TryUnpack(CodecLibrary library, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        var lz4 = new Lz4(library);
        var frame = new Lz4Frame(packed);
        while (frame.TryRead(out var block))
        {
            var size = lz4.Unpack(packed[block], unpacked[..Math.Min(unpacked.Length, MaxBlock)]);
            if (size < 0)
            {
                return false;
            }

            unpacked = unpacked[size..];
        }

        return !frame.IsDamaged && unpacked.IsEmpty;
    }

    /// <summary>The next block; none at the end, or after a block that reached beyond it.</summary>
    private bool TryRead(out Range block)
    {
        block = default;
        while (!IsDamaged && _packed.Length - _at >= sizeof(uint))
        {
            var size = BinaryPrimitives.ReadUInt32LittleEndian(_packed[_at..]);
            if (size == 0)
            {
                return false;
            }

            _at += sizeof(uint);
            if (size == Magic)
            {
                Frames++;
                continue;
            }

            IsDamaged = size > (uint)(_packed.Length - _at);
            if (!IsDamaged)
            {
                block = new Range(_at, _at + (int)size);
                _at += (int)size;
                return true;
            }
        }

        return false;
    }
}
