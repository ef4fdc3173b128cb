using System.Runtime.InteropServices;
using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu;

/// <summary>
/// Copies of the frames that the translator writes in a block: it writes them, and the guest's memory stays as it is for the interpreter, and for everybody
/// else, who may write it at any time.
/// </summary>
internal sealed unsafe class ShadowFrames : IDisposable
{
    /// <summary>Frames that one block may write.</summary>
    private const int Capacity = 1024;

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

    /// <summary>Forgets all copies.</summary>
    public void Clear() => _numbers.Clear();

    /// <summary>Where the translator finds a frame: in its copy, if it has written it or is about to.</summary>
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
            if (!write)
                return true;
            number = _numbers.Count;
            if (number == Capacity)
                return false;
            _numbers.Add(frame, number);
            isNew = true;
            _memory.Frame(frame).CopyTo(Copy(number));
        }

        host = (nint)(_pages + (number * Page.Size));
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
            int at = translated.CommonPrefixLength(now) & ~7;
            difference = $"memory differs in frame {frame} at {at:x}: the translator has {Convert.ToHexString(translated.Slice(at, 8))}, "
                + $"the interpreter {Convert.ToHexString(now.Slice(at, 8))}";
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

    public void Dispose()
    {
        NativeMemory.AlignedFree(_pages);
        _pages = null;
    }

    // SAFETY: see TryMap.
    private Span<byte> Copy(int number) => new(_pages + (number * Page.Size), Page.Size);
}
