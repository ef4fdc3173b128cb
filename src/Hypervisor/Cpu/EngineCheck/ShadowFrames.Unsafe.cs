using System.Runtime.InteropServices;
using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu;

/// <summary>
/// Copies of guest frames, for an engine that is not to write the guest's memory: it stays as it is for everybody else, who may write it at any time.
/// </summary>
internal sealed unsafe class ShadowFrames : IDisposable
{
    /// <summary>Frames that there may be copies of.</summary>
    private const int Capacity = 2048;

    /// <summary>Room that a block of the interpreter may need.</summary>
    private const int Reserve = 512;

    private readonly MachineMemory _memory;
    private readonly Dictionary<Mfn, int> _numbers = [];

    private byte* _pages;

    public ShadowFrames(MachineMemory memory)
    {
        // SAFETY: page-aligned memory of the given size; freed once, in Dispose, when the engine that has addresses of it has stopped.
        _memory = memory;
        _pages = (byte*)NativeMemory.AlignedAlloc(Capacity * Page.Size, Page.Size);
    }

    /// <summary>Where all copies lie.</summary>
    public nint Start => (nint)_pages;

    /// <summary>Behind the last copy.</summary>
    public nint End => (nint)(_pages + (Capacity * Page.Size));

    /// <summary>Whether there may not be room for what a block of the interpreter reads and writes.</summary>
    public bool IsNearlyFull => _numbers.Count > Capacity - Reserve;

    /// <summary>
    /// Whose copies are copied, instead of the guest's memory; then frames that are only read are copied too, so that nobody else's writes are seen.
    /// </summary>
    public ShadowFrames? Origin { get; private set; }

    /// <summary>Forgets all copies.</summary>
    /// <param name="origin">See <see cref="Origin"/>.</param>
    public void Clear(ShadowFrames? origin = null)
    {
        _numbers.Clear();
        Origin = origin;
    }

    /// <summary>Where a frame is to be found: in its copy, if it has been written or is about to be, or if there are to be copies of all.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="write">Whether it is to be written.</param>
    /// <param name="host">Its host address; changed to the copy's.</param>
    /// <param name="isNew">Whether the copy has just been made.</param>
    /// <returns>False: there is no room for one more copy.</returns>
    public bool TryMap(Mfn frame, bool write, ref nint host, out bool isNew)
    {
        // SAFETY: numbers are below Capacity.
        isNew = false;
        if (!_numbers.TryGetValue(frame, out int number))
        {
            if (!write && Origin is null)
                return true;
            number = _numbers.Count;
            if (number == Capacity || Origin is { IsFull: true })
                return false;
            _numbers.Add(frame, number);
            isNew = true;
            (Origin is null ? _memory.Frame(frame) : Origin.Frame(frame)).CopyTo(Copy(number));
        }

        host = (nint)(_pages + (number * Page.Size));
        return true;
    }

    /// <summary>Where the copy of a frame lies.</summary>
    /// <exception cref="InsufficientMemoryException">There is no room; see <see cref="IsNearlyFull"/>.</exception>
    public nint Map(Mfn frame)
    {
        nint host = 0;
        return TryMap(frame, write: true, ref host, out _) ? host : throw new InsufficientMemoryException("a block has touched more frames than there may be copies of");
    }

    /// <summary>The copy of a frame.</summary>
    /// <exception cref="InsufficientMemoryException">As <see cref="Map"/>.</exception>
    public Span<byte> Frame(Mfn frame)
    {
        Map(frame);
        return Copy(_numbers[frame]);
    }

    /// <summary>
    /// Makes copies of all frames that the interpreter has written, as they were before; what others have written meanwhile is in them. False: there is no room.
    /// </summary>
    public bool TryRewind(WriteLog log)
    {
        Clear();
        for (int i = log.Writes.Count - 1; i >= 0; i--)
        {
            if (IsNearlyFull)
                return false;
            WriteLog.Write write = log.Writes[i];
            log.Before(write).CopyTo(Frame(write.Frame)[write.Offset..]);
        }

        return true;
    }

    /// <summary>Whether the interpreter has written what the translator has. Also false if somebody else has written one of the frames meanwhile.</summary>
    public bool Agree(WriteLog log, out string? difference)
    {
        difference = null;
        foreach ((Mfn frame, int number) in _numbers)
        {
            Span<byte> translated = Copy(number), now = _memory.Frame(frame);
            if (translated.SequenceEqual(now))
                continue;
            Compare(frame, translated, now, out difference);
        }

        foreach (WriteLog.Write write in log.Writes)
        {
            if (_numbers.ContainsKey(write.Frame))
                continue;
            ReadOnlySpan<byte> now = _memory.Frame(write.Frame).Slice(write.Offset, write.Size);
            if (!now.SequenceEqual(log.Before(write)))
                difference = $"the interpreter has written {Convert.ToHexString(now)} to frame {write.Frame} at {write.Offset:x}, the translator nothing";
        }

        return difference is null;
    }

    /// <summary>Whether two engines have come to the same, each on copies of the same.</summary>
    public bool Agree(ShadowFrames interpreted, out string? difference)
    {
        difference = null;
        foreach (Mfn frame in _numbers.Keys.Union(interpreted._numbers.Keys))
        {
            if (Final(frame).SequenceEqual(interpreted.Final(frame)))
                continue;
            Compare(frame, Final(frame), interpreted.Final(frame), out difference);
        }

        return difference is null;
    }

    private static void Compare(Mfn frame, ReadOnlySpan<byte> translated, ReadOnlySpan<byte> interpreted, out string difference)
    {
        int at = translated.CommonPrefixLength(interpreted) & ~7;
        difference = $"memory differs in frame {frame} at {at:x}: the translator has {Convert.ToHexString(translated.Slice(at, 8))}, "
            + $"the interpreter {Convert.ToHexString(interpreted.Slice(at, 8))}";
    }

    private ReadOnlySpan<byte> Final(Mfn frame) => _numbers.TryGetValue(frame, out int number) ? Copy(number) : Origin!.Frame(frame);

    /// <summary>Whether there is no room at all.</summary>
    private bool IsFull => _numbers.Count == Capacity;

    public void Dispose()
    {
        NativeMemory.AlignedFree(_pages);
        _pages = null;
    }

    // SAFETY: see TryMap.
    private Span<byte> Copy(int number) => new(_pages + (number * Page.Size), Page.Size);
}
