using System.Runtime.InteropServices;

namespace Xen.Builder.Images.Codecs;

/// <summary>xz and the older .lzma format. <b>Source</b>: lzma/base.h, lzma/container.h.</summary>
internal static class Lzma
{
    private const uint Ok = 0;
    private const uint StreamEnd = 1;
    private const int ActionFinish = 3;

    /// <summary>Memory the decoder may take; kernels are packed with dictionaries of up to 128 MiB. <b>Units</b>: bytes.</summary>
    private const ulong MemoryLimit = 256ul << 20;

    /// <summary>Unpacks one .xz stream. Returns whether it filled <paramref name="unpacked"/> exactly.</summary>
    public static unsafe bool TryUnpackXz(CodecLibrary library, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        // SAFETY: the stream is a zeroed lzma_stream (LZMA_STREAM_INIT) on this frame, which does not move and outlives its last use.
        var start = (delegate* unmanaged<Stream*, ulong, uint, uint>)library.Function("lzma_stream_decoder");
        Stream stream = default;

        return start(&stream, MemoryLimit, 0) == Ok && Run(library, &stream, packed, unpacked);
    }

    /// <summary>Unpacks one .lzma stream. Returns whether it filled <paramref name="unpacked"/> exactly.</summary>
    public static unsafe bool TryUnpackLzma(CodecLibrary library, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        // SAFETY: as above.
        var start = (delegate* unmanaged<Stream*, ulong, uint>)library.Function("lzma_alone_decoder");
        Stream stream = default;

        return start(&stream, MemoryLimit) == Ok && Run(library, &stream, packed, unpacked);
    }

    private static unsafe bool Run(CodecLibrary library, Stream* stream, ReadOnlySpan<byte> packed, Span<byte> unpacked)
    {
        // SAFETY: lzma_code reads AvailIn bytes at NextIn and writes AvailOut bytes at NextOut: the pinned spans and their lengths.
        // lzma_end frees what the decoder allocated; nothing uses the stream after it.
        var code = (delegate* unmanaged<Stream*, int, uint>)library.Function("lzma_code");
        var end = (delegate* unmanaged<Stream*, void>)library.Function("lzma_end");

        fixed (byte* from = packed)
        fixed (byte* to = unpacked)
        {
            stream->NextIn = from;
            stream->AvailIn = (nuint)packed.Length;
            stream->NextOut = to;
            stream->AvailOut = (nuint)unpacked.Length;
            uint result;
            do
            {
                result = code(stream, ActionFinish); // without progress twice in a row it is an error, so this ends
            }
            while (result == Ok);
            end(stream);
            return result == StreamEnd && stream->AvailOut == 0;
        }
    }

    /// <summary>lzma_stream: 136 bytes on x86-64.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Stream
    {
        public byte* NextIn;
        public nuint AvailIn;
        public ulong TotalIn;
        public byte* NextOut;
        public nuint AvailOut;
        public ulong TotalOut;
        public void* Allocator;
        public void* Internal;
        public void* ReservedPointer1;
        public void* ReservedPointer2;
        public void* ReservedPointer3;
        public void* ReservedPointer4;
        public ulong SeekPosition;
        public ulong ReservedInteger2;
        public nuint ReservedInteger3;
        public nuint ReservedInteger4;
        public int ReservedEnum1;
        public int ReservedEnum2;
    }
}
