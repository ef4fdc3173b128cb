using Xen.Abi;

namespace Xen.Memory;

/// <summary>
/// Hands out free frames, zeroed: frames never used before come from the end of the used part, given-back frames first. A frame costs the host
/// nothing before it is written, and nothing after it was given back.
/// </summary>
/// <remarks>Any thread; the lock is innermost. Single frames are O(1).</remarks>
public sealed class FrameAllocator
{
    private readonly MachineMemory _memory;
    private readonly FrameList _free;
    private readonly Lock _lock = new();

    /// <summary>Frames from here on were never handed out.</summary>
    private ulong _untouched;

    public FrameAllocator(MachineMemory memory, FrameTable frames)
    {
        _memory = memory;
        _free = new FrameList(frames);
        _untouched = memory.FirstAllocatable.Value;
    }

    /// <summary>Frames that can be handed out.</summary>
    public ulong FreeFrames
    {
        get
        {
            lock (_lock)
                return _free.Count + (_memory.FrameCount - _untouched);
        }
    }

    /// <summary>Takes one frame. False when the machine has none left.</summary>
    public bool TryAllocate(out Mfn frame)
    {
        lock (_lock)
        {
            frame = _free.TakeLast();
            if (frame != Mfn.Invalid)
                return true;
            if (_untouched >= _memory.FrameCount)
                return false;
            frame = new Mfn(_untouched++);
            return true;
        }
    }

    /// <summary>Takes 2^order frames that follow each other, aligned to their number. False when no such run is left; single frames may be.</summary>
    public bool TryAllocateRun(int order, out Mfn first)
    {
        if (order == 0)
            return TryAllocate(out first);
        first = Mfn.Invalid;
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)order, 20u);
        ulong size = 1ul << order;
        lock (_lock)
        {
            ulong start = (_untouched + size - 1) & ~(size - 1);
            if (start + size > _memory.FrameCount)
                return false;
            while (_untouched < start)
                _free.Add(new Mfn(_untouched++));
            _untouched += size;
            first = new Mfn(start);
            return true;
        }
    }

    /// <summary>Gives frames that follow each other back: their pages return to the host and read as zeroes. No translation of them may be left.</summary>
    public void Free(Mfn first, ulong count)
    {
        _memory.Punch(first, count);
        lock (_lock)
        {
            for (ulong i = count; i-- > 0;)
                _free.Add(first + i);
        }
    }
}
