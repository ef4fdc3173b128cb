using Xen.Abi;

namespace Xen.Memory;

/// <summary>A list of frames, linked through the frame table: a frame is in one list at most. Not safe for several threads: its owner's lock guards it.</summary>
public sealed class FrameList(FrameTable frames)
{
    private uint _first;
    private uint _last;

    public ulong Count { get; private set; }

    /// <summary>The first frame, or <see cref="Mfn.Invalid"/>.</summary>
    public Mfn First => ToFrame(_first);

    /// <summary>The frame after this one, or <see cref="Mfn.Invalid"/>.</summary>
    public Mfn After(Mfn frame) => ToFrame(frames.Next(frame));

    /// <summary>Adds a frame at the end.</summary>
    public void Add(Mfn frame)
    {
        frames.Next(frame) = 0;
        frames.Previous(frame) = _last;
        if (_last != 0)
            frames.Next(new Mfn(_last)) = (uint)frame.Value;
        else
            _first = (uint)frame.Value;
        _last = (uint)frame.Value;
        Count++;
    }

    /// <summary>Takes a frame that is in this list out of it.</summary>
    public void Remove(Mfn frame)
    {
        uint next = frames.Next(frame);
        uint previous = frames.Previous(frame);
        if (previous != 0)
            frames.Next(new Mfn(previous)) = next;
        else
            _first = next;
        if (next != 0)
            frames.Previous(new Mfn(next)) = previous;
        else
            _last = previous;
        frames.Next(frame) = frames.Previous(frame) = 0;
        Count--;
    }

    /// <summary>Takes the last frame out: the one that was added most recently.</summary>
    public Mfn TakeLast()
    {
        Mfn frame = ToFrame(_last);
        if (frame != Mfn.Invalid)
            Remove(frame);
        return frame;
    }

    // Frame 0 is never handed out, so 0 can mean "none".
    private static Mfn ToFrame(uint link) => link == 0 ? Mfn.Invalid : new Mfn(link);
}
