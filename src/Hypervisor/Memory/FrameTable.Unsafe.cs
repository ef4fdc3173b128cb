using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Memory;

public sealed unsafe partial class FrameTable
{
    private SparseMapping? _map;
    private FrameInfo* _frames;

    /// <summary>The frame that follows in the list that this frame is in; 0 at the end. Guarded by the list's lock.</summary>
    internal ref uint Next(Mfn frame) => ref At(frame).Next;

    /// <summary>The frame before it in its list; 0 at the start.</summary>
    internal ref uint Previous(Mfn frame) => ref At(frame).Previous;

    public void Dispose()
    {
        if (_map is null)
            NativeMemory.Free(_frames);
        _map?.Dispose();
        _map = null;
        _frames = null;
    }

    private ref ulong CountWord(Mfn frame) => ref At(frame).Count;

    private ref ulong TypeWord(Mfn frame) => ref At(frame).Type;

    private ref ulong Stamp(Mfn frame) => ref At(frame).Stamp;

    private void Allocate()
    {
        // SAFETY: either memory is as large as the table and zero, which is a free frame, and is given back once, in Dispose.
        nuint size = checked((nuint)FrameCount * (nuint)sizeof(FrameInfo));
        _map = SparseMapping.IsLarge(size) ? new SparseMapping(size) : null;
        _frames = (FrameInfo*)(_map is null ? NativeMemory.AllocZeroed(size) : _map.Base);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref FrameInfo At(Mfn frame)
    {
        // SAFETY: the index is compared with the size of the block; a disposed table has no users (domains are gone before).
        if (frame.Value >= FrameCount || _frames == null)
            throw new ArgumentOutOfRangeException(nameof(frame));
        return ref _frames[frame.Value];
    }

    private struct FrameInfo
    {
        public ulong Count;
        public ulong Type;
        public ulong Stamp;
        public uint Next;
        public uint Previous;
    }
}
