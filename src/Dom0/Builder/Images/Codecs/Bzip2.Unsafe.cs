namespace Xen.Builder.Images.Codecs;

/// <summary>bzip2. <b>Source</b>: bzlib.h.</summary>
internal static class Bzip2
{
    private const int Ok = 0;

    /// <summary>Unpacks one stream. Returns whether it filled <paramref name="unpacked"/> exactly.</summary>
    public static unsafe bool TryUnpack(CodecLibrary library, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        // SAFETY: BZ2_bzBuffToBuffDecompress reads and writes within the sizes it is given: both are the lengths of the pinned spans;
        // 'written' is a local that outlives the call.
        var decompress = (delegate* unmanaged<byte*, uint*, byte*, uint, int, int, int>)library.Function("BZ2_bzBuffToBuffDecompress");
        var written = (uint)unpacked.Length;

        fixed (byte* from = packed)
        fixed (byte* to = unpacked)
        {
            return decompress(to, &written, from, (uint)packed.Length, 0, 0) == Ok && written == (uint)unpacked.Length;
        }
    }
}
