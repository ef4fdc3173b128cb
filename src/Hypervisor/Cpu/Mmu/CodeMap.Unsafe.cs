using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// A version per machine frame, by which engines learn that code they have decoded was written.
/// <code>
///  31                          1   0
/// +-----------------------------+------+
/// | version                     | code |
/// +-----------------------------+------+
/// </code>
/// A frame with the code bit set is never writable through a TLB; a write takes the slow path, which calls <see cref="NoteWrite(Mfn)"/>.
/// What an engine decoded is valid as long as the word is what <see cref="MarkCode"/> returned.
/// </summary>
/// <remarks>Any thread. Whoever writes guest memory past a TLB (hypercall results, grant copies, backends, the builder) calls <see cref="NoteWrite(Mfn)"/> too.</remarks>
public sealed unsafe partial class CodeMap : IDisposable
{
    private const uint CodeBit = 1;

    private readonly ulong _frameCount;
    private uint* _words;

    public CodeMap(ulong frameCount)
    {
        // SAFETY: calloc of a large block is untouched zero pages, so the map costs what is used; freed once in Dispose.
        _frameCount = frameCount;
        _words = (uint*)NativeMemory.AllocZeroed((nuint)frameCount, sizeof(uint));
        AllocateLines();
    }

    /// <summary>The frame's word, for comparing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Word(Mfn frame) => Volatile.Read(ref At(frame));

    /// <summary>Where the frame's word lies, for engines that compare it often.</summary>
    public nint AddressOf(Mfn frame) => (nint)Unsafe.AsPointer(ref At(frame));

    /// <summary>Whether decoded code of the frame may exist.</summary>
    public bool HasCode(Mfn frame) => (Word(frame) & CodeBit) != 0;

    /// <summary>Says that code is about to be decoded from the frame; the caller then revokes writable translations before it reads the bytes.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="fresh">Whether the frame had no code before, so that writable translations of it may exist.</param>
    public uint MarkCode(Mfn frame, out bool fresh)
    {
        uint before = Interlocked.Or(ref At(frame), CodeBit);
        fresh = (before & CodeBit) == 0;
        return before | CodeBit;
    }

    /// <summary>Says that bytes of the frame were or are about to be changed: all code decoded from it is void.</summary>
    public void NoteWrite(Mfn frame)
    {
        ref uint word = ref At(frame);
        if ((Volatile.Read(ref word) & CodeBit) == 0)
            return;

        // Lines that are marked from here on are those of code that is voided below, or of later code.
        ForgetLines(frame);
        uint before = Volatile.Read(ref word);
        while ((before & CodeBit) != 0)
        {
            uint seen = Interlocked.CompareExchange(ref word, (before & ~CodeBit) + 2, before);
            if (seen == before)
            {
                Publish(frame, CodeChange.AllLines);
                return;
            }

            before = seen;
        }
    }

    /// <summary>Says that bytes of a frame were changed: code decoded from these lines is void (for engines that compare words, all code of the frame). The frame stays marked.</summary>
    internal void NoteWrite(Mfn frame, int offset, int length)
    {
        ulong lines = LinesIn(offset, length);
        Interlocked.And(ref LinesOf(frame), ~lines);
        Interlocked.Add(ref At(frame), 2);
        Publish(frame, lines);
    }

    public void Dispose()
    {
        NativeMemory.Free(_words);
        _words = null;
        FreeLines();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref uint At(Mfn frame)
    {
        // SAFETY: the index is compared with the size of the block; a disposed map has no readers (engines are stopped before).
        if (frame.Value >= _frameCount)
            throw new ArgumentOutOfRangeException(nameof(frame));
        return ref _words[frame.Value];
    }
}
