using Xen.Abi;

namespace Xen.Core;

/// <summary>Changes of the whole table and of single entries: layouts, the toolstack's entries, exchange, transfers.</summary>
public sealed partial class GrantTable
{
    /// <summary>
    /// Changes the layout of the entries (GNTTABOP_set_version). All entries are cleared, but for the first <see cref="ReservedGrants.Count"/>, which are converted: they
    /// are the toolstack's, and may be in use.
    /// </summary>
    /// <returns>EINVAL: no such version. EBUSY: other entries are in use, or, from 2 to 1, the guest still maps status frames. ENOMEM.</returns>
    public XenErrno SetVersion(uint version)
    {
        if (version is not 1 and not 2)
            return XenErrno.EINVAL;
        lock (_lock)
        {
            if (Version == version)
                return XenErrno.OK;
            for (int i = ReservedGrants.Count; i < _active.Length; i++)
            {
                if (_active[i].Pins != 0)
                    return XenErrno.EBUSY;
            }

            if (version == 1 && _statusFrames.Exists(frame => _domain.Machine.Frames.References(frame) > 1))
                return XenErrno.EBUSY;
            int before = Version;
            Version = (int)version;
            if (!GrowStatus())
            {
                Version = before;
                return XenErrno.ENOMEM;
            }

            Version = before;
            Convert((int)version);
            return XenErrno.OK;
        }
    }

    /// <summary>Fills one of the entries that are the toolstack's before the guest starts: its console ring, its xenstore ring.</summary>
    /// <param name="reference">One of <see cref="ReservedGrants"/>.</param>
    /// <param name="to">Who may map it.</param>
    /// <param name="frame">A frame of this domain.</param>
    /// <returns>EINVAL: not a reserved entry, or not the domain's frame. EBUSY: the entry is in use. ENOMEM.</returns>
    public XenErrno Seed(GrantRef reference, DomId to, Mfn frame)
    {
        if (reference.Value >= ReservedGrants.Count || !_domain.Machine.Frames.IsOwnedBy(frame, _domain.Id))
            return XenErrno.EINVAL;
        if (!TryGrow(1))
            return XenErrno.ENOMEM;
        lock (_lock)
        {
            if (reference.Value >= EntryCount)
                return XenErrno.EINVAL;
            if (_active[reference.Value].Pins != 0)
                return XenErrno.EBUSY;
            WriteEntry(reference, new Entry((uint)GrantEntryFlags.PermitAccess | ((uint)to.Value << 16), frame.Value));
            return XenErrno.OK;
        }
    }

    /// <summary>Exchanges two entries that are not in use (GNTTABOP_swap_grant_ref).</summary>
    internal GrantStatus Swap(GrantRef one, GrantRef other)
    {
        lock (_lock)
        {
            if (one.Value >= EntryCount || other.Value >= EntryCount)
                return GrantStatus.BadGntref;
            if (one == other)
                return GrantStatus.Okay;
            if ((_active[one.Value].Pins | _active[other.Value].Pins) != 0)
                return GrantStatus.Eagain;
            ulong a = EntryAddress(one), b = EntryAddress(other);
            for (ulong offset = 0; offset < (ulong)(Page.Size / EntriesPerFrame); offset += sizeof(ulong))
            {
                ulong word = _memory.ReadUInt64(a + offset);
                _memory.WriteUInt64(a + offset, _memory.ReadUInt64(b + offset));
                _memory.WriteUInt64(b + offset, word);
            }

            // The status words of entries that are not in use are 0, whatever the guest has written there.
            Settle(one, 0);
            Settle(other, 0);
            return GrantStatus.Okay;
        }
    }

    /// <summary>Promises the guest that a frame will come in an entry that waits for one from that domain.</summary>
    /// <param name="reference">A claim of the giver.</param>
    /// <param name="from">The giver.</param>
    /// <param name="pfn">Which of its pages the guest wants it to be.</param>
    internal bool TryCommitTransfer(GrantRef reference, DomId from, out Pfn pfn)
    {
        pfn = Pfn.Invalid;
        lock (_lock)
        {
            if (_domain.IsDying || reference.Value >= EntryCount)
                return false;
            ref uint head = ref HeadOf(reference);
            uint waiting = (uint)GrantEntryFlags.AcceptTransfer | ((uint)from.Value << 16);
            if (Interlocked.CompareExchange(ref head, waiting | (uint)GrantTransferFlags.Committed, waiting) != waiting)
                return false;
            pfn = new Pfn(ReadFrame(reference).Value);
            return true;
        }
    }

    /// <summary>Tells the guest that the frame has come.</summary>
    internal void CompleteTransfer(GrantRef reference, Mfn frame)
    {
        lock (_lock)
        {
            if (reference.Value >= EntryCount)
                return;
            ref uint head = ref HeadOf(reference);
            if (Version == 1)
                Volatile.Write(ref _memory.Ref<uint>(EntryAddress(reference) + GrantEntryV1Layout.Frame), (uint)frame.Value);
            else
                _memory.WriteUInt64(EntryAddress(reference) + GrantEntryV2Layout.FullPageFrame, frame.Value);
            _ = Interlocked.Or(ref head, (uint)GrantTransferFlags.Completed);
        }
    }

    private void Convert(int version)
    {
        Span<Entry> reserved = stackalloc Entry[ReservedGrants.Count];
        for (uint i = 0; i < ReservedGrants.Count && i < EntryCount; i++)
            reserved[(int)i] = ReadReserved(new GrantRef(i));
        foreach (Mfn frame in _frames)
            Wipe(frame);
        foreach (Mfn frame in _statusFrames)
            Wipe(frame);
        Version = version;
        for (uint i = 0; i < ReservedGrants.Count && i < EntryCount; i++)
            WriteEntry(new GrantRef(i), reserved[(int)i]);
    }

    /// <summary>An entry as version 1 has it. Of version 2 only a grant of a whole page can be one.</summary>
    private Entry ReadReserved(GrantRef reference)
    {
        uint head = Volatile.Read(ref HeadOf(reference));
        if (Version == 1)
            return new Entry(head, ReadFrame(reference).Value);
        if ((FlagsOf(head) & (GrantEntryFlags.TypeMask | GrantEntryFlags.SubPage)) != GrantEntryFlags.PermitAccess)
            return default;
        ulong address = StatusAddress(reference);
        uint status = (Volatile.Read(ref _memory.Ref<uint>(address & ~3ul)) >> ((int)(address & 2) * 8)) & (ReadingBit | WritingBit);
        return new Entry(head | status, ReadFrame(reference).Value);
    }

    private void WriteEntry(GrantRef reference, Entry entry)
    {
        ref uint head = ref HeadOf(reference);
        if (Version == 1)
        {
            Volatile.Write(ref _memory.Ref<uint>(EntryAddress(reference) + GrantEntryV1Layout.Frame), (uint)entry.Frame);
            Volatile.Write(ref head, entry.Head);
            return;
        }

        const uint InUse = ReadingBit | WritingBit;
        SetStatus(reference, entry.Head & InUse);
        _memory.WriteUInt64(EntryAddress(reference) + GrantEntryV2Layout.FullPageFrame, entry.Frame);
        Volatile.Write(ref head, entry.Head & ~InUse);
    }

    private void Wipe(Mfn frame)
    {
        _memory.Frame(frame).Clear();
        _code.NoteWrite(frame);
    }

    private readonly record struct Entry(uint Head, ulong Frame);
}
