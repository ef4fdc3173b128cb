using Xen.Abi;
using Xen.Rings;

namespace Xen.Drivers.Block.Backend;

/// <summary>
/// Pages of a frontend that stay mapped because it uses the same grants again and again. When there is no room, that which was used
/// least recently goes; while all are in use a page is mapped for its request only.
/// </summary>
/// <remarks>Any thread. Allocates when it is made, never later. <b>Source</b>: io/blkif.h, "feature-persistent".</remarks>
internal sealed class PersistentGrants
{
    private const int None = -1;

    private readonly Lock _lock = new();
    private readonly IGrantPort _port;
    private readonly DomId _granter;
    private readonly Dictionary<uint, int> _byReference;
    private readonly Entry[] _entries;

    /// <summary>The entries that nobody uses now, from the least to the most recently used.</summary>
    private int _oldest = None, _newest = None;
    private int _count;

    public PersistentGrants(IGrantPort port, DomId granter, int capacity)
    {
        _port = port;
        _granter = granter;
        _entries = new Entry[capacity];
        _byReference = new Dictionary<uint, int>(capacity);
    }

    /// <summary>How many pages are mapped.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _count;
        }
    }

    /// <summary>Gives the mapping of a page, which is kept at least until <see cref="Release"/>.</summary>
    /// <returns>The number to release it by, or -1 if it could not be kept: map it for the one request.</returns>
    public int Acquire(GrantRef reference, out GrantMapping mapping)
    {
        lock (_lock)
        {
            if (_byReference.TryGetValue(reference.Value, out int at))
            {
                if (_entries[at].Uses++ == 0)
                    Unlink(at);
                mapping = _entries[at].Mapping;
                return at;
            }

            mapping = default;
            int free = _count < _entries.Length ? _count : _oldest;
            if (free == None || _port.Map(_granter, reference, readOnly: false, out mapping) != GrantStatus.Okay)
                return None;
            if (free == _count)
                _count++;
            else
                Evict(free);
            _entries[free] = new Entry { Mapping = mapping, Reference = reference.Value, Uses = 1 };
            _byReference.Add(reference.Value, free);
            return free;
        }
    }

    public void Release(int entry)
    {
        lock (_lock)
        {
            if (--_entries[entry].Uses == 0)
                LinkNewest(entry);
        }
    }

    /// <summary>Gives all back; none may be in use.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            for (int i = 0; i < _count; i++)
                _port.Unmap(_entries[i].Mapping);
            _byReference.Clear();
            _count = 0;
            _oldest = _newest = None;
        }
    }

    private void Evict(int entry)
    {
        Unlink(entry);
        _byReference.Remove(_entries[entry].Reference);
        _port.Unmap(_entries[entry].Mapping);
    }

    private void LinkNewest(int entry)
    {
        (_entries[entry].Older, _entries[entry].Newer) = (_newest, None);
        if (_newest == None)
            _oldest = entry;
        else
            _entries[_newest].Newer = entry;
        _newest = entry;
    }

    private void Unlink(int entry)
    {
        (int older, int newer) = (_entries[entry].Older, _entries[entry].Newer);
        if (older == None)
            _oldest = newer;
        else
            _entries[older].Newer = newer;
        if (newer == None)
            _newest = older;
        else
            _entries[newer].Older = older;
    }

    private struct Entry
    {
        public GrantMapping Mapping;
        public uint Reference;
        public int Uses;
        public int Older;
        public int Newer;
    }
}
