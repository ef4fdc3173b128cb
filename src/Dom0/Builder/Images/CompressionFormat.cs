namespace Xen.Builder.Images;

/// <summary>How a kernel is compressed.</summary>
internal enum CompressionFormat
{
    None,
    Gzip,
    Bzip2,
    Lzma,
    Xz,
    Lzo,
    Lz4,
    Zstd,
}

/// <summary>Tells compression formats by their first bytes.</summary>
internal static class CompressionFormats
{
    public static CompressionFormat Recognise(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0x1F, 0x8B, ..] => CompressionFormat.Gzip,
        [(byte)'B', (byte)'Z', (byte)'h', ..] => CompressionFormat.Bzip2,
        [0x5D, 0x00, 0x00, ..] => CompressionFormat.Lzma,
        [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0x00, ..] => CompressionFormat.Xz,
        [0x89, (byte)'L', (byte)'Z', (byte)'O', ..] => CompressionFormat.Lzo,
        [0x02, 0x21, 0x4C, 0x18, ..] => CompressionFormat.Lz4,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => CompressionFormat.Zstd,
        _ => CompressionFormat.None,
    };

    public static string Name(this CompressionFormat format) => format switch
    {
        CompressionFormat.Lz4 => "LZ4",
        CompressionFormat.Lzo => "LZO",
        CompressionFormat.Gzip => "gzip",
        CompressionFormat.Bzip2 => "bzip2",
        CompressionFormat.Lzma => "LZMA",
        CompressionFormat.Xz => "xz",
        CompressionFormat.Zstd => "zstd",
        _ => "uncompressed",
    };
}
