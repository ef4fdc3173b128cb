using System.Diagnostics;
using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>Entries made by grants: they may refer to frames of other domains.</summary>
/// <remarks>
/// As with every present level 1 entry, the entry itself holds the reference of the frame, and if it is writable a use as writable. However it goes, by an unmap or
/// because the guest overwrites it or gives the table up, that reference goes with it, but only after the vCPUs have flushed (<see cref="DropForeign"/>).
/// </remarks>
internal sealed partial class PageTables
{
    /// <summary>Foreign frames whose entries are gone; their references go at the end of the section.</summary>
    private readonly List<(Mfn Frame, bool Writable)> _foreignPuts = [];

    private bool _flushDue;

    /// <summary>The frames of other domains that this one has mapped.</summary>
    public ForeignFrames Foreign { get; } = new();

    /// <summary>Finds the entry that a grant operation names.</summary>
    /// <param name="vcpu">The caller.</param>
    /// <param name="address">A linear address, or the machine address of an entry.</param>
    /// <param name="isEntry">Which of the two.</param>
    /// <param name="table">Its level 1 table.</param>
    /// <param name="index">Its place there.</param>
    /// <returns>False when there is no such entry of a table of this domain.</returns>
    public bool TryFindEntry(Vcpu vcpu, ulong address, bool isEntry, out Mfn table, out int index)
    {
        Debug.Assert(_domain.PagingLock.IsHeldByCurrentThread);
        if (!isEntry)
            return TryFindL1(vcpu.State.KernelRoot, address, out table, out index);
        table = Mfn.FromAddress(address);
        index = (int)(address & Page.OffsetMask) >> 3;
        return (address & 7) == 0 && _frames.IsOwnedBy(table, _domain.Id) && _frames.TableLevel(table) == 1;
    }

    /// <summary>Replaces an entry by one that takes over a reference, and where it is writable a use, that the caller has of the frame.</summary>
    /// <param name="table">A level 1 table, see <see cref="TryFindEntry"/>.</param>
    /// <param name="index">The place.</param>
    /// <param name="entry">The new entry.</param>
    public void Install(Mfn table, int index, ulong entry)
    {
        Mfn frame = PageTableEntry.Frame(entry);
        if (!_frames.IsOwnedBy(frame, _domain.Id))
            Foreign.Add(frame, PageTableEntry.IsWritable(entry));
        Replace(table, index, PageTableEntry.Adjust(1, entry));
    }

    /// <summary>Whether a place maps a frame in that way.</summary>
    public bool Maps(Mfn table, int index, Mfn frame, bool writable)
    {
        ulong entry = _memory.ReadUInt64(table.Address + ((ulong)index << 3));
        return PageTableEntry.IsPresent(entry) && PageTableEntry.Frame(entry) == frame && PageTableEntry.IsWritable(entry) == writable;
    }

    /// <summary>Clears an entry. The section ends with a flush.</summary>
    public void Clear(Mfn table, int index)
    {
        Replace(table, index, 0);
        _flushDue = true;
    }

    /// <summary>Moves an entry, with its references, to another place; what was there goes. The section ends with a flush.</summary>
    public void Move(Mfn fromTable, int fromIndex, Mfn table, int index)
    {
        ulong address = fromTable.Address + ((ulong)fromIndex << 3);
        ulong entry = Interlocked.Exchange(ref _memory.Ref<ulong>(address), 0);
        _code.NoteWrite(fromTable);
        Replace(table, index, entry);
        _flushDue = true;
    }

    private void Replace(Mfn table, int index, ulong entry)
    {
        Debug.Assert(_domain.PagingLock.IsHeldByCurrentThread);
        ulong old = Interlocked.Exchange(ref _memory.Ref<ulong>(table.Address + ((ulong)index << 3)), entry);
        _code.NoteWrite(table);
        PutEntry(table, 1, old);
    }

    private void PutForeign(Mfn frame, bool writable)
    {
        Foreign.Remove(frame, writable);
        _foreignPuts.Add((frame, writable));
    }

    /// <summary>Drops the references of entries that are gone, after a flush of all vCPUs: a translation must not outlive them.</summary>
    /// <returns>Frames that lost their last reference, to be freed by their owners when this domain's lock has been left; null when there is none.</returns>
    private Mfn[]? DropForeign()
    {
        if (_foreignPuts.Count == 0 && !_flushDue)
            return null;
        _domain.Flushes.FlushAll(_actor);
        _flushDue = false;
        List<Mfn>? orphans = null;
        foreach ((Mfn frame, bool writable) in _foreignPuts)
        {
            if (_domain.Machine.OwnerOf(frame).DropReference(frame, writable))
                (orphans ??= []).Add(frame);
        }

        _foreignPuts.Clear();
        return orphans?.ToArray();
    }
}
