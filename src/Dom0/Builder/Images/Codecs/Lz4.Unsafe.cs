using System.Buffers.Binary;

namespace Xen.Builder.Images.Codecs;

/// <summary>
/// LZ4's legacy frame, which Linux uses: the magic number, then blocks that each unpack to at most 8 MiB, each with its packed size
/// in front.
/// <b>Source</b>: LZ4 frame format description, "Legacy frame"; lz4.h.
/// </summary>
internal static class Lz4
{
    private const uint Magic = 0x184C2102;
    private const int MaxBlock = 8 << 20;

    /// <summary>Unpacks a frame. Returns whether it filled <paramref name="unpacked"/> exactly.</summary>
    public static unsafe bool TryUnpack(CodecLibrary library, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        // SAFETY: LZ4_decompress_safe reads at most the packed size and writes at most the capacity it is given: both are the lengths
        // of the pinned spans.
        var decompress = (delegate* unmanaged<byte*, byte*, int, int, int>)library.Function("LZ4_decompress_safe");
        while (packed.Length >= sizeof(uint))
        {
            var size = BinaryPrimitives.ReadUInt32LittleEndian(packed);
            packed = packed[sizeof(uint)..];
            if (size == Magic)
            {
                continue; // a frame begins, the first or one appended to it
            }

            if (size == 0)
            {
                break;
            }

            if (size > packed.Length)
            {
                return false;
            }

            fixed (byte* from = packed)
            fixed (byte* to = unpacked)
            {
                var written = decompress(from, to, (int)size, Math.Min(unpacked.Length, MaxBlock));
                if (written < 0 || written > unpacked.Length)
                {
                    return false;
                }

                unpacked = unpacked[written..];
            }

            packed = packed[(int)size..];
        }

        return unpacked.IsEmpty;
    }
}
