using System.IO.Compression;

namespace Xen.Builder.Images.Codecs;

/// <summary>gzip, by the runtime's own library.</summary>
internal static class Gzip
{
    /// <summary>Unpacks a file's members, one after the other.</summary>
    /// <param name="packed">The file.</param>
    /// <param name="unpacked">Room for what it should unpack to.</param>
    /// <param name="hasMore">Whether there is more than that.</param>
    /// <returns>How much of the room was filled.</returns>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static unsafe int Unpack(ReadOnlySpan<byte> packed, Span<byte> unpacked, out bool hasMore)
    {
        // SAFETY: the stream reads within the length that it is given, which is the pinned span's, and is gone before the span is unpinned.
        fixed (byte* from = packed)
        {
            using var stream = new GZipStream(new UnmanagedMemoryStream(from, packed.Length), CompressionMode.Decompress);
            var length = stream.ReadAtLeast(unpacked, unpacked.Length, throwOnEndOfStream: false);
            hasMore = length == unpacked.Length && stream.ReadByte() >= 0;
            return length;
        }
    }
}
