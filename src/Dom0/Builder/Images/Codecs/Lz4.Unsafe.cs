namespace Xen.Builder.Images.Codecs;

/// <summary>LZ4. <b>Source</b>: lz4.h.</summary>
internal sealed class Lz4(CodecLibrary library)
{
    private readonly nint _decompress = library.Function("LZ4_decompress_safe");
    private readonly nint _decompressPartial = library.Function("LZ4_decompress_safe_partial");

    /// <summary>Unpacks one block.</summary>
    /// <returns>How many bytes it is, or a negative number if it is damaged or larger than <paramref name="unpacked"/>.</returns>
    public unsafe int Unpack(ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        // SAFETY: LZ4_decompress_safe reads at most the packed size and writes at most the capacity it is given: both are the lengths
        // of the pinned spans.
        var decompress = (delegate* unmanaged<byte*, byte*, int, int, int>)_decompress;
        fixed (byte* from = packed)
        fixed (byte* to = unpacked)
        {
            return decompress(from, to, packed.Length, unpacked.Length);
        }
    }

    /// <summary>Unpacks the beginning of a block: <paramref name="unpacked"/> is as long as what is wanted.</summary>
    /// <returns>How many bytes there are: fewer if the block has no more. A negative number if it is damaged so far.</returns>
    public unsafe int UnpackBeginning(ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        // SAFETY: LZ4_decompress_safe_partial reads at most the packed size and writes at most the capacity, the last of its sizes: both are the
        // lengths of the pinned spans.
        var decompress = (delegate* unmanaged<byte*, byte*, int, int, int, int>)_decompressPartial;
        fixed (byte* from = packed)
        fixed (byte* to = unpacked)
        {
            return decompress(from, to, packed.Length, unpacked.Length, unpacked.Length);
        }
    }
}
