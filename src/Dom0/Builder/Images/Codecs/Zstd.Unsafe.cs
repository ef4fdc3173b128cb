namespace Xen.Builder.Images.Codecs;

/// <summary>Zstandard. <b>Source</b>: zstd.h.</summary>
internal static class Zstd
{
    /// <summary>Unpacks whole frames. Returns whether they filled <paramref name="unpacked"/> exactly.</summary>
    public static unsafe bool TryUnpack(CodecLibrary library, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        // SAFETY: ZSTD_decompress reads and writes within the sizes it is given: both are the lengths of the pinned spans.
        var decompress = (delegate* unmanaged<byte*, nuint, byte*, nuint, nuint>)library.Function("ZSTD_decompress");
        var isError = (delegate* unmanaged<nuint, uint>)library.Function("ZSTD_isError");

        fixed (byte* from = packed)
        fixed (byte* to = unpacked)
        {
            var written = decompress(to, (nuint)unpacked.Length, from, (nuint)packed.Length);
            return isError(written) == 0 && written == (nuint)unpacked.Length;
        }
    }
}
