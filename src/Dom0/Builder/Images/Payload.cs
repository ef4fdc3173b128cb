using System.Buffers.Binary;
using System.IO.Compression;
using Xen.Builder.Images.Codecs;

namespace Xen.Builder.Images;

/// <summary>Unpacks the compressed kernel of a boot image, or a gzipped kernel file.</summary>
internal static class Payload
{
    /// <summary>Largest kernel after unpacking. <b>Units</b>: bytes.</summary>
    public const int MaxUnpacked = 512 << 20;

    private const int TrailerSize = sizeof(uint);

    /// <summary>
    /// The kernel in a boot image's payload. Every format but gzip, whose own trailer says it, is followed by the unpacked size in 4 bytes.
    /// </summary>
    public static ReadOnlyMemory<byte> Unpack(string file, ReadOnlyMemory<byte> payload)
    {
        var bytes = payload.Span;
        var format = CompressionFormats.Recognise(bytes);
        switch (format)
        {
            case CompressionFormat.None when bytes.StartsWith(ElfKernel.Magic):
                return payload;
            case CompressionFormat.Gzip:
                return Gunzip(file, payload);
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

        var unpacked = new byte[size];
        UnpackNative(file, format, bytes[..^TrailerSize], unpacked);
        return unpacked;
    }

    /// <summary>The content of a gzip file, up to <see cref="MaxUnpacked"/>.</summary>
    public static ReadOnlyMemory<byte> Gunzip(string file, ReadOnlyMemory<byte> packed)
    {
        try
        {
            return GunzipBounded(file, packed);
        }
        catch (InvalidDataException e)
        {
            throw Damaged(file, CompressionFormat.Gzip, e);
        }
    }

    /// <summary>A payload that does not unpack.</summary>
    public static ImageException Damaged(string file, CompressionFormat format, Exception? inner = null) => new(
        file, $"its {format.Name()} payload is damaged", "fetch or build the file again", inner);

    private static ReadOnlyMemory<byte> GunzipBounded(string file, ReadOnlyMemory<byte> packed)
    {
        if (packed.Length < TrailerSize)
        {
            throw Damaged(file, CompressionFormat.Gzip);
        }

        // The last 4 bytes say the size modulo 2^32: a hint for the first buffer, and a check at the end, for a stream that
        // was cut short may end silently.
        var said = BinaryPrimitives.ReadUInt32LittleEndian(packed.Span[^TrailerSize..]);
        using var stream = new GZipStream(new MemoryStream(packed.ToArray(), writable: false), CompressionMode.Decompress);
        var buffer = new byte[Math.Clamp(said, 1u << 16, (uint)MaxUnpacked)];
        var length = 0;
        while (true)
        {
            var read = stream.ReadAtLeast(buffer.AsSpan(length), buffer.Length - length, throwOnEndOfStream: false);
            length += read;
            if (length < buffer.Length || stream.ReadByte() is not (>= 0 and var next))
            {
                break;
            }

            if (length == MaxUnpacked)
            {
                throw ImageException.Malformed(file, $"its gzip payload unpacks to more than {MaxUnpacked >> 20} MiB");
            }

            Array.Resize(ref buffer, (int)Math.Min(buffer.Length * 2L, MaxUnpacked));
            buffer[length++] = (byte)next;
        }

        return (uint)length == said ? buffer.AsMemory(0, length) : throw Damaged(file, CompressionFormat.Gzip);
    }

    private static void UnpackNative(string file, CompressionFormat format, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        using var library = CodecLibrary.Open(file, format);
        var complete = format switch
        {
            CompressionFormat.Xz => Lzma.TryUnpackXz(library, packed, unpacked),
            CompressionFormat.Lzma => Lzma.TryUnpackLzma(library, packed, unpacked),
            CompressionFormat.Lz4 => Lz4.TryUnpack(library, packed, unpacked),
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
