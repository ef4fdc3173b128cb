using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// A domain's grant table: frames of the hypervisor that the guest maps and fills with grants. Here is the table itself; mapping, copying
/// and transferring what is granted build on it. <b>Source</b>: grant_table.h.
/// </summary>
/// <remarks>Guarded by its own lock, which is inside of the paging lock. An entry of version 1 has 8 bytes; of version 2 it has 16, and a status word of 2 bytes elsewhere.</remarks>
public sealed class GrantTable
{
    /// <summary>Most frames of a table, as the machine is set up.</summary>
    public const int MaxFrames = 64;

    private const int StatusPerFrame = Page.Size / sizeof(ushort);

    private readonly Domain _domain;
    private readonly Lock _lock = new();
    private readonly List<Mfn> _frames = [];
    private readonly List<Mfn> _statusFrames = [];

    internal GrantTable(Domain domain) => _domain = domain;

    /// <summary>The layout of the entries: 1 or 2.</summary>
    public int Version { get; private set; } = 1;

    /// <summary>Frames that the table has now.</summary>
    public int FrameCount
    {
        get
        {
            lock (_lock)
                return _frames.Count;
        }
    }

    private int EntriesPerFrame => Version == 1 ? Page.Size / 8 : Page.Size / 16;

    /// <summary>Changes the layout of the entries. <b>Errors</b>: EINVAL for a version that does not exist, ENOMEM.</summary>
    public XenErrno SetVersion(uint version)
    {
        if (version is not 1 and not 2)
            return XenErrno.EINVAL;
        lock (_lock)
        {
            if (Version == version)
                return XenErrno.OK;
            int before = Version;
            Version = (int)version;
            if (!GrowStatus())
            {
                Version = before;
                return XenErrno.ENOMEM;
            }

            return XenErrno.OK;
        }
    }

    /// <summary>Makes the table at least so large. False when there may not be so many frames, or the machine has none left.</summary>
    public bool TryGrow(uint count)
    {
        if (count > MaxFrames)
            return false;
        lock (_lock)
        {
            while (_frames.Count < count)
            {
                if (!_domain.Machine.TryAllocateShared(_domain.Id, out Mfn frame))
                    return false;
                _frames.Add(frame);
            }

            return GrowStatus();
        }
    }

    /// <summary>Copies the numbers of the first frames.</summary>
    /// <returns>False when the table has fewer.</returns>
    public bool TryCopyFrames(Span<ulong> destination)
    {
        lock (_lock)
            return TryCopy(_frames, destination);
    }

    /// <summary>Copies the numbers of the first frames with status words.</summary>
    /// <returns>False when there are fewer.</returns>
    public bool TryCopyStatusFrames(Span<ulong> destination)
    {
        lock (_lock)
            return TryCopy(_statusFrames, destination);
    }

    /// <summary>Frees the frames of a domain that has ended; nothing maps them.</summary>
    internal void Release()
    {
        lock (_lock)
        {
            foreach (Mfn frame in _frames)
                _domain.Machine.FreeShared(frame);
            foreach (Mfn frame in _statusFrames)
                _domain.Machine.FreeShared(frame);
            _frames.Clear();
            _statusFrames.Clear();
        }
    }

    private static bool TryCopy(List<Mfn> frames, Span<ulong> destination)
    {
        if (destination.Length > frames.Count)
            return false;
        for (int i = 0; i < destination.Length; i++)
            destination[i] = frames[i].Value;
        return true;
    }

    private bool GrowStatus()
    {
        if (Version == 1)
            return true;
        int needed = ((_frames.Count * EntriesPerFrame) + StatusPerFrame - 1) / StatusPerFrame;
        while (_statusFrames.Count < needed)
        {
            if (!_domain.Machine.TryAllocateShared(_domain.Id, out Mfn frame))
                return false;
            _statusFrames.Add(frame);
        }

        return true;
    }
}
