using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// Which lines of a frame (64 bytes, one bit each) code was decoded from, so that a write need not void all of a frame's code: data on a page with code, and a
/// kernel that patches its own text place by place.
/// </summary>
/// <remarks>
/// Who decodes marks a line before it reads it. Who writes into a frame that stays marked writes first and looks at the lines afterwards. Both are full
/// barriers, so that one of the two always sees the other.
/// </remarks>
public sealed unsafe partial class CodeMap
{
    /// <summary>Bytes of a line.</summary>
    internal const int LineSize = Page.Size / 64;

    /// <summary>Writes to a frame with code, after which it is taken for data.</summary>
    private const byte MaxPasses = 200;

    private ulong* _lines;
    private byte* _passes;

    /// <summary>Says that these lines are about to be decoded. The frame is marked (<see cref="MarkCode"/>).</summary>
    internal void MarkLines(Mfn frame, ulong lines)
    {
        ref ulong marked = ref LinesOf(frame);
        if ((Volatile.Read(ref marked) & lines) != lines)
            Interlocked.Or(ref marked, lines);
    }

    /// <summary>Whether code was decoded from bytes of the frame since it was written last.</summary>
    internal bool IsCode(Mfn frame, int offset, int length) => HasCode(frame) && (Volatile.Read(ref LinesOf(frame)) & LinesIn(offset, length)) != 0;

    /// <summary>Whether a frame with code may be written without voiding all of its code: it does not happen all the time.</summary>
    internal bool MayWriteInto(Mfn frame)
    {
        // SAFETY: LinesOf checks the frame.
        _ = ref LinesOf(frame);
        ref byte passes = ref _passes[frame.Value];
        return ++passes <= MaxPasses;
    }

    /// <summary>The lines that a range of a frame touches.</summary>
    internal static ulong LinesIn(int offset, int length)
    {
        int first = offset / LineSize, last = Math.Min(offset + length - 1, Page.Size - 1) / LineSize;
        return (ulong.MaxValue >> (63 - last)) & (ulong.MaxValue << first);
    }

    private void AllocateLines()
    {
        // SAFETY: as for the words.
        _lines = (ulong*)NativeMemory.AllocZeroed((nuint)_frameCount, sizeof(ulong));
        _passes = (byte*)NativeMemory.AllocZeroed((nuint)_frameCount, sizeof(byte));
    }

    private void FreeLines()
    {
        NativeMemory.Free(_lines);
        NativeMemory.Free(_passes);
        _lines = null;
        _passes = null;
    }

    /// <summary>Forgets the lines of a frame whose code is about to be voided.</summary>
    private void ForgetLines(Mfn frame)
    {
        // SAFETY: LinesOf has checked the frame.
        Volatile.Write(ref LinesOf(frame), 0);
        _passes[frame.Value] = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ulong LinesOf(Mfn frame)
    {
        // SAFETY: as for the words.
        if (frame.Value >= _frameCount)
            throw new ArgumentOutOfRangeException(nameof(frame));
        return ref _lines[frame.Value];
    }
}
