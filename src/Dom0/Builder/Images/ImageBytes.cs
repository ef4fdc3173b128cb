using System.Buffers.Binary;

namespace Xen.Builder.Images;

/// <summary>An image's bytes; every read is checked against their end, so that a header's claims cannot lead beyond it.</summary>
internal readonly struct ImageBytes(string file, ImageContent content)
{
    public ImageBytes(string file, ReadOnlyMemory<byte> content)
        : this(file, new ImageContent(content))
    {
    }

    /// <summary>The file's name, for messages.</summary>
    public string File { get; } = file;

    public ulong Length => (ulong)content.Bytes.Length;

    public ImageContent Content => content;

    public bool StartsWith(ReadOnlySpan<byte> magic) =>
        content.Bytes.Length >= magic.Length && Slice(0, (ulong)magic.Length, "magic number").Span.SequenceEqual(magic);

    /// <summary>Where a part of the image is, named by <paramref name="what"/> in the error. Its bytes need not be there yet.</summary>
    /// <exception cref="ImageException">The part reaches beyond the end.</exception>
    public (int Offset, int Length) Locate(ulong offset, ulong length, string what)
    {
        if (offset > Length || length > Length - offset)
        {
            var end = length > ulong.MaxValue - offset ? ulong.MaxValue : offset + length;
            throw ImageException.Truncated(File, what, end, Length);
        }

        return ((int)offset, (int)length);
    }

    /// <summary>A part of the image, named by <paramref name="what"/> in the error.</summary>
    /// <exception cref="ImageException">The part reaches beyond the end, or does not unpack.</exception>
    public ReadOnlyMemory<byte> Slice(ulong offset, ulong length, string what)
    {
        var (start, size) = Locate(offset, length, what);
        content.Need(start, size);
        return content.Bytes.Slice(start, size);
    }

    public byte Byte(ulong offset, string what) => Slice(offset, sizeof(byte), what).Span[0];

    public ushort UInt16(ulong offset, string what) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(offset, sizeof(ushort), what).Span);

    public uint UInt32(ulong offset, string what) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(offset, sizeof(uint), what).Span);

    public ulong UInt64(ulong offset, string what) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(offset, sizeof(ulong), what).Span);
}
