using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>How an entry is stored.</summary>
internal enum EntryStore : byte
{
    /// <summary>As it is.</summary>
    Plain,

    /// <summary>With the accessed and dirty bits that the old one has (MMU_PT_UPDATE_PRESERVE_AD).</summary>
    PreserveAccessedDirty,

    /// <summary>Only when the entry still is what was expected.</summary>
    Expected,
}

/// <summary>Entries: what they refer to, and how they change.</summary>
internal sealed partial class PageTables
{
    /// <summary>Replaces an entry of a validated table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="level">Its level, 1 to 4.</param>
    /// <param name="index">The entry, 0 to 511.</param>
    /// <param name="value">What the guest wants there.</param>
    /// <param name="store">How to store it.</param>
    /// <param name="expected">For <see cref="EntryStore.Expected"/>.</param>
    /// <returns>EAGAIN when the entry is not what was expected; EINVAL or EBUSY when the value is not lawful.</returns>
    public XenErrno Update(Mfn table, int level, int index, ulong value, EntryStore store, ulong expected = 0)
    {
        if (PageTableEntry.IsHypervisorSlot(level, index))
            return XenErrno.EINVAL;
        ulong address = table.Address + ((ulong)index << 3);
        ulong old = _memory.ReadUInt64(address);
        if (store == EntryStore.Expected && old != expected)
            return XenErrno.EAGAIN;

        ulong entry = PageTableEntry.Adjust(level, value);
        bool alike = PageTableEntry.IsPresent(old) && PageTableEntry.RefersAlike(old, entry);
        XenErrno error = alike ? CheckBits(level, entry) : GetEntry(table, level, entry);
        if (error != XenErrno.OK)
            return error;

        if (!Store(address, old, entry, store))
        {
            if (!alike)
                PutEntry(table, level, entry);
            return XenErrno.EAGAIN;
        }

        _code.NoteWrite(table);
        if (!alike)
            PutEntry(table, level, old);
        return XenErrno.OK;
    }

    private static XenErrno CheckBits(int level, ulong entry) =>
        PageTableEntry.IsLawful(level, entry) ? XenErrno.OK : XenErrno.EINVAL;

    /// <summary>Stores an entry. Under the paging lock only walkers change it meanwhile, and only its accessed and dirty bits.</summary>
    private bool Store(ulong address, ulong old, ulong entry, EntryStore store)
    {
        switch (store)
        {
            case EntryStore.Plain:
                _memory.WriteUInt64(address, entry);
                return true;
            case EntryStore.Expected:
                return Interlocked.CompareExchange(ref _memory.Ref<ulong>(address), entry, old) == old;
        }

        const ulong Kept = PageTableEntry.Accessed | PageTableEntry.Dirty;
        while (true)
        {
            ulong seen = Interlocked.CompareExchange(ref _memory.Ref<ulong>(address), entry | (old & Kept), old);
            if (seen == old)
                return true;
            old = seen;
        }
    }

    /// <summary>Takes the references that a present entry stands for.</summary>
    private XenErrno GetEntry(Mfn table, int level, ulong entry)
    {
        if (!PageTableEntry.IsPresent(entry))
            return XenErrno.OK;
        if (!PageTableEntry.IsLawful(level, entry))
            return XenErrno.EINVAL;
        Mfn frame = PageTableEntry.Frame(entry);
        if (level == 1)
            return GetLeaf(frame, PageTableEntry.IsWritable(entry));
        if (IsSelfMap(table, level, frame))
            return PageTableEntry.IsWritable(entry) ? XenErrno.EINVAL : XenErrno.OK;
        return GetPageAndType(frame, TableType(level - 1));
    }

    private XenErrno GetLeaf(Mfn frame, bool writable)
    {
        if (!_frames.TryGetPage(frame, _domain.Id))
            return XenErrno.EINVAL;
        if (!writable || GetType(frame, FrameType.Writable) == XenErrno.OK)
            return XenErrno.OK;
        PutPage(frame);
        return XenErrno.EBUSY;
    }

    /// <summary>Drops the references that a present entry of a validated table stands for.</summary>
    private void PutEntry(Mfn table, int level, ulong entry)
    {
        if (!PageTableEntry.IsPresent(entry))
            return;
        Mfn frame = PageTableEntry.Frame(entry);
        if (level == 1)
        {
            if (!_frames.IsOwnedBy(frame, _domain.Id))
            {
                PutForeign(frame, PageTableEntry.IsWritable(entry));
                return;
            }

            if (PageTableEntry.IsWritable(entry))
                PutType(frame);
            PutPage(frame);
        }
        else if (!IsSelfMap(table, level, frame))
        {
            PutPageAndType(frame);
        }
    }

    /// <summary>A root may map itself read-only, so that a guest sees its tables as a linear array; that counts as no reference.</summary>
    private static bool IsSelfMap(Mfn table, int level, Mfn frame) => level == 4 && frame == table;

    /// <summary>Makes the contents fit for the type: adjusts every entry, takes its references; all or nothing.</summary>
    private XenErrno Validate(Mfn frame, FrameType type)
    {
        switch (type)
        {
            case FrameType.SegmentDescriptors:
                return SegmentDescriptor.ValidatePage(_memory, frame) ? XenErrno.OK : XenErrno.EINVAL;
            case FrameType.Writable or FrameType.None:
                return XenErrno.OK;
        }

        int level = (int)type;
        for (int i = 0; i < Page.EntriesPerTable; i++)
        {
            ulong address = frame.Address + ((ulong)i << 3);
            ulong value = _memory.ReadUInt64(address);
            if (value == 0)
                continue;
            if (PageTableEntry.IsHypervisorSlot(level, i))
            {
                // What a guest left there is never walked; other hypervisors show their own entries here.
                _memory.WriteUInt64(address, 0);
                continue;
            }

            ulong entry = PageTableEntry.Adjust(level, value);
            XenErrno error = GetEntry(frame, level, entry);
            if (error != XenErrno.OK)
            {
                Devalidate(frame, type, i);
                return error;
            }

            if (entry != value)
                _memory.WriteUInt64(address, entry);
        }

        return XenErrno.OK;
    }

    /// <summary>Lets go of what the first <paramref name="count"/> entries refer to.</summary>
    private void Devalidate(Mfn frame, FrameType type, int count)
    {
        if (type is FrameType.Writable or FrameType.None or FrameType.SegmentDescriptors)
            return;
        int level = (int)type;
        for (int i = 0; i < count; i++)
        {
            if (!PageTableEntry.IsHypervisorSlot(level, i))
                PutEntry(frame, level, _memory.ReadUInt64(frame.Address + ((ulong)i << 3)));
        }
    }
}
