using Xen.Abi;

namespace Xen.Core;

/// <summary>A mapping that a handle stands for.</summary>
/// <param name="Granter">Whose grant it is.</param>
/// <param name="Reference">Which.</param>
/// <param name="Frame">The frame.</param>
/// <param name="Flags">How it is mapped still: what has been unmapped is taken out of them.</param>
internal readonly record struct GrantMap(GrantTable Granter, GrantRef Reference, Mfn Frame, GrantMapFlags Flags)
{
    public const GrantMapFlags Places = GrantMapFlags.HostMap | GrantMapFlags.DeviceMap;

    public bool IsReadOnly => (Flags & GrantMapFlags.Readonly) != 0;
}

/// <summary>A mapper's handles: numbers from 0, the one that was given back last is the next. As large as it has ever had to be, up to a limit.</summary>
/// <remarks>
/// A guest's handle is grant_handle_t, 32 bits that begin at 0; a stale one harms nobody but that guest, which may have ended another mapping of its own.
/// The services of this process share one table: their handles have a generation, too (<see cref="HostGrantHandle"/>). Any thread; its lock is a leaf. A handle is free, reserved (its mapping is being made or unmade: nobody else can have it), or live.
/// </remarks>
internal sealed class MapTrack(int maxFrames)
{
    /// <summary>Handles of a frame: Xen's entries have 16 bytes.</summary>
    public const int HandlesPerFrame = Page.Size / 16;

    private const int None = -1;

    private readonly Lock _lock = new();
    private Slot[]?[] _frames = [];
    private int _frameCount;
    private int _free = None;
    private int _active;

    private enum State : byte
    {
        Free,
        Reserved,
        Live,
    }

    /// <summary>Handles that are not free.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Handles that there have been at most.</summary>
    public uint Size => (uint)Volatile.Read(ref _frameCount) * HandlesPerFrame;

    /// <summary>Takes a free handle, reserved. False when there may be no more.</summary>
    public bool TryReserve(out GrantHandle handle)
    {
        lock (_lock)
        {
            handle = default;
            if (_free == None && !TryGrow())
                return false;
            handle = new GrantHandle((uint)_free);
            ref Slot slot = ref At(handle);
            _free = slot.Next;
            slot.State = State.Reserved;
            _active++;
            return true;
        }
    }

    /// <summary>Makes a reserved handle stand for a mapping.</summary>
    public void Publish(GrantHandle handle, in GrantMap map)
    {
        lock (_lock)
        {
            ref Slot slot = ref At(handle);
            slot.Map = map;
            slot.State = State.Live;
        }
    }

    /// <summary>How often a handle had been given back when it was reserved. The caller has reserved it.</summary>
    public uint GenerationOf(GrantHandle handle)
    {
        lock (_lock)
            return At(handle).Generation;
    }

    /// <summary>As <see cref="TryClaim(GrantHandle, out GrantMap)"/>, and false when the handle has been given back since that generation.</summary>
    public bool TryClaim(GrantHandle handle, uint generation, out GrantMap map)
    {
        lock (_lock)
        {
            map = default;
            return handle.Value < Size && At(handle).Generation == generation && TryClaim(handle, out map);
        }
    }

    /// <summary>Reserves a live handle, to unmap it. False when it is not live: a claim that is wrong, or somebody else's turn.</summary>
    public bool TryClaim(GrantHandle handle, out GrantMap map)
    {
        map = default;
        lock (_lock)
        {
            if (handle.Value >= Size)
                return false;
            ref Slot slot = ref At(handle);
            if (slot.State != State.Live)
                return false;
            slot.State = State.Reserved;
            map = slot.Map;
            return true;
        }
    }

    /// <summary>Gives a reserved handle back.</summary>
    public void Free(GrantHandle handle)
    {
        lock (_lock)
        {
            ref Slot slot = ref At(handle);
            slot = new Slot { Next = _free, Generation = slot.Generation + 1 };
            _free = (int)handle.Value;
            _active--;
        }
    }

    /// <summary>Looks at a handle; for audits, and for a mapper that has stopped.</summary>
    public bool TryPeek(GrantHandle handle, out GrantMap map)
    {
        lock (_lock)
        {
            bool live = handle.Value < Size && At(handle).State == State.Live;
            map = live ? At(handle).Map : default;
            return live;
        }
    }

    private bool TryGrow()
    {
        if (_frameCount >= maxFrames)
            return false;
        if (_frameCount == _frames.Length)
            Array.Resize(ref _frames, Math.Min(Math.Max(_frames.Length * 2, 4), maxFrames));
        var frame = new Slot[HandlesPerFrame];
        int first = _frameCount * HandlesPerFrame;
        for (int i = 0; i < frame.Length; i++)
            frame[i].Next = i + 1 < frame.Length ? first + i + 1 : None;
        _frames[_frameCount] = frame;
        Volatile.Write(ref _frameCount, _frameCount + 1);
        _free = first;
        return true;
    }

    private ref Slot At(GrantHandle handle) => ref _frames[handle.Value / HandlesPerFrame]![handle.Value % HandlesPerFrame];

    private struct Slot
    {
        public GrantMap Map;
        public int Next;
        public uint Generation;
        public State State;
    }
}
