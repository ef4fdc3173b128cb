using System.Diagnostics;
using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// A domain's grant table: frames of the hypervisor that the guest maps and fills with grants, and what is known of the grants that are in use. Read this first.
/// <code>
///  GrantTable          one per domain: what it grants to others
///   .Entries           the living entries that guest and hypervisor write
///   .Access            a grant begins and ceases to be used: pins
///   .Version           layouts 1 and 2; seeding; exchange of entries
///   .Host              mappings and copies of services in this process
///  GrantMaps           one per domain: what it has mapped of others' grants, by handle (MapTrack)
///  GrantCopy           bytes from page to page
///  GrantTransfer       frames that change their owner
/// </code>
/// <b>Source</b>: grant_table.h.
/// </summary>
/// <remarks>
/// Guarded by its own lock, which is inside of the paging lock; no operation holds the locks of two tables. Frames are referenced by compare-and-swap, so that using
/// a grant takes no paging lock, but for a frame that was a page table before. An entry of version 1 has 8 bytes; of version 2 it has 16, and a status word of 2 bytes
/// elsewhere.
/// </remarks>
public sealed partial class GrantTable
{
    /// <summary>Entries of a frame, in the smaller layout: known grants are allocated for so many.</summary>
    private const int MostEntriesPerFrame = Page.Size / GrantEntryV1Layout.Size;

    private const int StatusPerFrame = Page.Size / GrantEntryV2Layout.StatusSize;

    private readonly Domain _domain;
    private readonly MachineMemory _memory;
    private readonly CodeMap _code;
    private readonly Lock _lock = new();
    private readonly List<Mfn> _frames = [];
    private readonly List<Mfn> _statusFrames = [];
    private ActiveGrant[] _active = [];

    internal GrantTable(Domain domain, int maxFrames)
    {
        _domain = domain;
        _memory = domain.Machine.Memory;
        _code = domain.Machine.Code;
        MaxFrames = maxFrames;
    }

    /// <summary>Most frames of this table.</summary>
    public int MaxFrames { get; }

    /// <summary>The layout of the entries: 1 or 2.</summary>
    public int Version { get; private set; } = 1;

    /// <summary>Whose grants these are.</summary>
    public DomId Owner => _domain.Id;

    /// <summary>Frames that the table has now.</summary>
    public int FrameCount
    {
        get
        {
            lock (_lock)
                return _frames.Count;
        }
    }

    /// <summary>The domain that grants.</summary>
    internal Domain Domain => _domain;

    private int EntriesPerFrame => Version == 1 ? Page.Size / GrantEntryV1Layout.Size : Page.Size / GrantEntryV2Layout.Size;

    /// <summary>Entries that the table has; 0 when its domain has ended.</summary>
    private uint EntryCount => (uint)(_frames.Count * EntriesPerFrame);

    /// <summary>Makes the table at least so large. False when there may not be so many frames, or the machine has none left.</summary>
    public bool TryGrow(uint count)
    {
        if (count > MaxFrames)
            return false;
        lock (_lock)
        {
            if (_domain.IsDying)
                return false;
            while (_frames.Count < count)
            {
                if (!_domain.Machine.TryAllocateShared(_domain.Id, out Mfn frame))
                    return false;
                _frames.Add(frame);
            }

            if (_active.Length < _frames.Count * MostEntriesPerFrame)
                Array.Resize(ref _active, _frames.Count * MostEntriesPerFrame);
            return GrowStatus();
        }
    }

    /// <summary>Tells the number of one of the table's frames.</summary>
    /// <returns>False when the table has fewer.</returns>
    public bool TryGetFrame(int index, out Mfn frame)
    {
        lock (_lock)
            return TryGet(_frames, index, out frame);
    }

    /// <summary>Tells the number of a frame with status words.</summary>
    /// <returns>False when there are fewer, or none because the layout is version 1.</returns>
    public bool TryGetStatusFrame(int index, out Mfn frame)
    {
        frame = Mfn.Invalid;
        lock (_lock)
            return Version == 2 && TryGet(_statusFrames, index, out frame);
    }

    /// <summary>What is in use, counted afresh.</summary>
    public GrantAudit Audit()
    {
        int entries = 0, readers = 0, writers = 0;
        lock (_lock)
        {
            foreach (ref ActiveGrant active in _active.AsSpan())
            {
                if (active.Pins == 0)
                    continue;
                entries++;
                readers += GrantPins.Count(active.Pins, writers: false);
                writers += GrantPins.Count(active.Pins, writers: true);
            }
        }

        return new GrantAudit(entries, readers, writers, HostMappings, _domain.Maps.Track.Active);
    }

    /// <summary>Frees the frames of a domain that has ended; nothing maps them. Its grants that are still in use end without a trace in an entry.</summary>
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

    private static bool TryGet(List<Mfn> frames, int index, out Mfn frame)
    {
        bool has = (uint)index < (uint)frames.Count;
        frame = has ? frames[index] : Mfn.Invalid;
        return has;
    }

    private bool GrowStatus()
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
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

/// <summary>What of a domain's grants, and of others' grants by it, is in use. All is 0 when nothing leaks.</summary>
/// <param name="ActiveEntries">Its grants that others use.</param>
/// <param name="Readers">Uses for reading: mappings, and copies under way.</param>
/// <param name="Writers">Uses for writing.</param>
/// <param name="HostMappings">Mappings of its grants by services of this process.</param>
/// <param name="Maps">Mappings that the domain has of others' grants.</param>
public readonly record struct GrantAudit(int ActiveEntries, int Readers, int Writers, int HostMappings, int Maps);
