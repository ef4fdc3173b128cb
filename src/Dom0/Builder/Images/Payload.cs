using System.Buffers.Binary;
using Xen.Builder.Images.Codecs;

namespace Xen.Builder.Images;

/// <summary>Unpacks the compressed kernel of a boot image, or a gzipped kernel file.</summary>
internal static class Payload
{
    /// <summary>Largest kernel after unpacking. <b>Units</b>: bytes.</summary>
    public const int MaxUnpacked = 512 << 20;

    private const int TrailerSize = sizeof(uint);

    /// <summary>Whether a boot image's payload is the kernel itself.</summary>
    public static bool IsPlain(ReadOnlySpan<byte> payload) => payload.StartsWith(ElfKernel.Magic);

    /// <summary>
    /// Unpacks a boot image's payload. Every format but gzip, whose own trailer says it, is followed by the unpacked size in 4 bytes.
    /// </summary>
    /// <param name="file">The file, for messages.</param>
    /// <param name="payload">The payload, which must last as long as what it unpacks to: some formats are unpacked part by part.</param>
    public static ImageContent Unpack(string file, ReadOnlyMemory<byte> payload)
    {
        var bytes = payload.Span;
        var format = CompressionFormats.Recognise(bytes);
        switch (format)
        {
            case CompressionFormat.Gzip:
                return Gunzip(file, bytes);
            case CompressionFormat.None:
                throw ImageException.Malformed(file, "its boot image holds no kernel in a known compression");
            case CompressionFormat.Lzo:
                throw new ImageException(
                    file, "its kernel is LZO-compressed, which is not supported", "use a kernel compressed with gzip, xz, LZ4 or zstd");
        }

        if (bytes.Length < TrailerSize)
        {
            throw ImageException.Malformed(file, $"its {format.Name()} payload is too short");
        }

        var size = BinaryPrimitives.ReadUInt32LittleEndian(bytes[^TrailerSize..]);
        if (size > MaxUnpacked)
        {
            throw ImageException.Malformed(
                file, $"its {format.Name()} payload claims to unpack to {size} bytes, more than {MaxUnpacked >> 20} MiB");
        }

        payload = payload[..^TrailerSize];
        return (format == CompressionFormat.Lz4 ? Lz4Content.TryOpen(file, payload, (int)size) : null)
            ?? Fill(file, format, payload.Span, (int)size, UnpackNative);
    }

    /// <summary>The content of a gzip file, up to <see cref="MaxUnpacked"/>.</summary>
    public static ImageContent Gunzip(string file, ReadOnlySpan<byte> packed)
    {
        if (packed.Length < TrailerSize)
        {
            throw Damaged(file, CompressionFormat.Gzip);
        }

        // The last 4 bytes say the size modulo 2^32. It is checked at the end, too: a stream that was cut short may end silently.
        var said = BinaryPrimitives.ReadUInt32LittleEndian(packed[^TrailerSize..]);
        return Fill(file, CompressionFormat.Gzip, packed, (int)Math.Min(said, MaxUnpacked), Gunzip);
    }

    private delegate void Unpacker(string file, CompressionFormat format, ReadOnlySpan<byte> packed, Span<byte> unpacked);

    /// <summary>Takes memory and fills it; when that fails it is given back.</summary>
    private static ImageContent Fill(string file, CompressionFormat format, ReadOnlySpan<byte> packed, int size, Unpacker unpack)
    {
        var memory = ImageMemory.Allocate(file, size);
        try
        {
            unpack(file, format, packed, memory.GetSpan());
            return new ImageContent(memory.Memory, memory);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>A payload that does not unpack.</summary>
    internal static ImageException Damaged(string file, CompressionFormat format, Exception? inner = null) => new(
        file, $"its {format.Name()} payload is damaged", "fetch or build the file again", inner);

    private static void Gunzip(string file, CompressionFormat format, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        int length;
        bool hasMore;
        try
        {
            length = Gzip.Unpack(packed, unpacked, out hasMore);
        }
        catch (InvalidDataException e)
        {
            throw Damaged(file, format, e);
        }

        if (hasMore && length == MaxUnpacked)
        {
            throw ImageException.Malformed(file, $"its gzip payload unpacks to more than {MaxUnpacked >> 20} MiB");
        }

        if (hasMore || (uint)length != BinaryPrimitives.ReadUInt32LittleEndian(packed[^TrailerSize..]))
        {
            throw Damaged(file, format);
        }
    }

    private static void UnpackNative(string file, CompressionFormat format, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        using var library = CodecLibrary.Open(file, format);
        var complete = format switch
        {
            CompressionFormat.Xz => Lzma.TryUnpackXz(library, packed, unpacked),
            CompressionFormat.Lzma => Lzma.TryUnpackLzma(library, packed, unpacked),
            CompressionFormat.Lz4 => Lz4Frame.TryUnpack(library, packed, unpacked),
            CompressionFormat.Zstd => Zstd.TryUnpack(library, packed, unpacked),
            CompressionFormat.Bzip2 => Bzip2.TryUnpack(library, packed, unpacked),
            _ => throw new ArgumentOutOfRangeException(nameof(format)),
        };
        if (!complete)
        {
            throw Damaged(file, format);
        }
    }
}
