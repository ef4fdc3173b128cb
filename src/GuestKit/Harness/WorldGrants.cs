using Xen.Abi;
using Xen.Rings;

namespace Xen.GuestKit.Harness;

/// <summary>
/// A domain's grants, both ways: it maps and copies what others granted (<see cref="IGrantPort"/>), and grants its own pages
/// (<see cref="IGrantSource"/>). Mapping and copying allocate nothing once the number of mappings has been reached before.
/// </summary>
public sealed class WorldGrants : IGrantPort, IGrantSource
{
    private readonly World _world;
    private readonly DomId _owner;
    private readonly Dictionary<GrantRef, Entry> _granted = [];
    private readonly Stack<Slot> _free = [];
    private Slot[] _slots = [];
    private uint _nextReference = 8;
    private int _pages;

    internal WorldGrants(World world, DomId owner) => (_world, _owner) = (world, owner);

    /// <summary>Decides before every mapping by this domain; anything but <see cref="GrantStatus.Okay"/> is its result.</summary>
    public Func<DomId, GrantRef, GrantStatus>? FailMap { get; set; }

    /// <summary>Decides before every copy by this domain; anything but <see cref="GrantStatus.Okay"/> is its result.</summary>
    public Func<DomId, GrantRef, GrantStatus>? FailCopy { get; set; }

    /// <summary>How many mappings this domain holds of others' pages.</summary>
    public int Mapped
    {
        get
        {
            lock (_world.Lock)
                return _slots.Length - _free.Count;
        }
    }

    /// <summary>How many grants of its own pages this domain has not ended.</summary>
    public int Granted
    {
        get
        {
            lock (_world.Lock)
                return _granted.Count;
        }
    }

    /// <summary>How many pages of its own were allocated and not given back.</summary>
    public int Pages => Volatile.Read(ref _pages);

    /// <summary>A page of this domain's, zeroed.</summary>
    public WorldPage AllocatePage()
    {
        Interlocked.Increment(ref _pages);
        return new WorldPage(() => Interlocked.Decrement(ref _pages));
    }

    ISharedPage IGrantSource.AllocatePage() => AllocatePage();

    /// <summary>Grants a page that <see cref="AllocatePage"/> made.</summary>
    public GrantRef Grant(WorldPage page, DomId peer, bool readOnly = false)
    {
        ArgumentNullException.ThrowIfNull(page);
        lock (_world.Lock)
        {
            GrantRef reference = new(_nextReference++);
            _granted.Add(reference, new Entry(page, peer, readOnly));
            return reference;
        }
    }

    /// <inheritdoc/>
    public GrantStatus Grant(ISharedPage page, DomId peer, bool readOnly, out GrantRef reference)
    {
        reference = Grant((WorldPage)page, peer, readOnly);
        return GrantStatus.Okay;
    }

    /// <inheritdoc/>
    public bool EndAccess(GrantRef reference)
    {
        lock (_world.Lock)
            return _granted.TryGetValue(reference, out Entry? entry) && entry.Maps == 0 && _granted.Remove(reference);
    }

    /// <inheritdoc/>
    public void EndAccess(GrantRef reference, ISharedPage page)
    {
        ArgumentNullException.ThrowIfNull(page);
        lock (_world.Lock)
        {
            if (_granted.TryGetValue(reference, out Entry? entry) && entry.Maps > 0)
            {
                entry.Ended = () => _granted.Remove(reference);
                return;
            }

            _granted.Remove(reference);
        }

        page.Dispose();
    }

    /// <summary>Takes a grant away at once, as no well-behaved guest does: it can no longer be mapped or copied. Mappings stay, as on Xen.</summary>
    public bool Revoke(GrantRef reference)
    {
        lock (_world.Lock)
            return _granted.Remove(reference);
    }

    /// <inheritdoc/>
    public GrantStatus Map(DomId granter, GrantRef reference, bool readOnly, out GrantMapping mapping)
    {
        mapping = default;
        GrantStatus fault = FailMap?.Invoke(granter, reference) ?? GrantStatus.Okay;
        if (fault != GrantStatus.Okay)
            return fault;
        lock (_world.Lock)
        {
            GrantStatus status = Find(granter, reference, readOnly, out Entry? entry);
            if (status != GrantStatus.Okay)
                return status;
            Slot slot = _free.TryPop(out Slot? free) ? free : AddSlots();
            slot.Entry = entry;
            slot.From = (granter, reference);
            slot.Use++;
            entry!.Maps++;
            mapping = new GrantMapping((uint)slot.Index + 1, slot.Use);
            return GrantStatus.Okay;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">It is not mapped: a fault of the driver.</exception>
    public Span<byte> Bytes(in GrantMapping mapping) => Used(mapping).Page.Bytes;

    /// <inheritdoc/>
    public void MarkWritten(in GrantMapping mapping) => Used(mapping).Page.Mark();

    /// <inheritdoc/>
    public void Unmap(in GrantMapping mapping)
    {
        lock (_world.Lock)
        {
            Entry entry = Used(mapping);
            if (--entry.Maps == 0 && entry.Ended is { } ended)
            {
                ended();
                entry.Page.Dispose();
            }

            Slot slot = _slots[mapping.Handle - 1];
            slot.Entry = null;
            _free.Push(slot);
        }
    }

    /// <inheritdoc/>
    public GrantStatus CopyFrom(DomId granter, GrantRef reference, int offset, Span<byte> destination)
    {
        GrantStatus status = FindForCopy(granter, reference, readOnly: true, offset, destination.Length, out WorldPage? page);
        if (status == GrantStatus.Okay)
            page!.Bytes.Slice(offset, destination.Length).CopyTo(destination);
        return status;
    }

    /// <inheritdoc/>
    public GrantStatus CopyTo(DomId granter, GrantRef reference, int offset, ReadOnlySpan<byte> source)
    {
        GrantStatus status = FindForCopy(granter, reference, readOnly: false, offset, source.Length, out WorldPage? page);
        if (status != GrantStatus.Okay)
            return status;
        source.CopyTo(page!.Bytes[offset..]);
        page.Mark();
        return status;
    }

    internal IEnumerable<string> Held()
    {
        lock (_world.Lock)
        {
            return
            [
                .. _slots.Where(s => s.Entry is not null).Select(s => $"{_owner} has mapped {s.From.Reference} of {s.From.Granter}"),
                .. _granted.Select(g => $"{_owner} grants {g.Key} to {g.Value.Peer}"),
            ];
        }
    }

    internal void RevokeAll() => _granted.Clear();

    private GrantStatus FindForCopy(DomId granter, GrantRef reference, bool readOnly, int offset, int length, out WorldPage? page)
    {
        page = null;
        GrantStatus fault = FailCopy?.Invoke(granter, reference) ?? GrantStatus.Okay;
        if (fault != GrantStatus.Okay)
            return fault;
        if (offset < 0 || offset > Page.Size - length)
            return GrantStatus.BadCopyArg;
        lock (_world.Lock)
        {
            GrantStatus status = Find(granter, reference, readOnly, out Entry? entry);
            page = entry?.Page;
            return status;
        }
    }

    private GrantStatus Find(DomId granter, GrantRef reference, bool readOnly, out Entry? entry)
    {
        entry = null;
        if (_world.Find(granter) is not { } domain)
            return GrantStatus.BadDomain;
        if (!domain.Grants._granted.TryGetValue(reference, out Entry? found))
            return GrantStatus.BadGntref;
        if (found.Peer != _owner || (found.ReadOnly && !readOnly))
            return GrantStatus.GeneralError;
        entry = found;
        return GrantStatus.Okay;
    }

    private Slot AddSlots()
    {
        int old = _slots.Length;
        Slot[] more = new Slot[Math.Max(64, old * 2)];
        _slots.CopyTo(more, 0);
        for (int i = more.Length - 1; i >= old; i--)
            _free.Push(more[i] = new Slot(i));

        // Published complete: Bytes reads it without the lock.
        Volatile.Write(ref _slots, more);
        return _free.Pop();
    }

    private Entry Used(in GrantMapping mapping)
    {
        Slot[] slots = Volatile.Read(ref _slots);
        Slot? slot = mapping.IsMapped && mapping.Handle <= (ulong)slots.Length ? slots[mapping.Handle - 1] : null;
        return slot is { Entry: { } entry } && slot.Use == mapping.Frame ? entry : throw new InvalidOperationException($"{_owner} uses {mapping}, which is not mapped");
    }

    /// <summary>A page granted.</summary>
    private sealed record Entry(WorldPage Page, DomId Peer, bool ReadOnly)
    {
        public int Maps { get; set; }

        /// <summary>Set when the granter wants the grant to end with its last mapping.</summary>
        public Action? Ended { get; set; }
    }

    /// <summary>A mapping's place. Its use count tells a mapping from an earlier one of the same number.</summary>
    private sealed class Slot(int index)
    {
        public int Index => index;

        public ulong Use { get; set; }

        public Entry? Entry { get; set; }

        public (DomId Granter, GrantRef Reference) From { get; set; }
    }
}
