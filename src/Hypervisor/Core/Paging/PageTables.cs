using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// Direct paging: which frames a domain uses as page tables, and every change of their entries. An entry is stored only after the frame that
/// it names was referenced and typed, so whatever a vCPU's walk can reach was validated.
/// </summary>
/// <remarks>
/// Guarded by <see cref="Domain.PagingLock"/>, entered by <see cref="Enter"/>; recursion is bounded by the four levels. The vCPUs' walkers set
/// accessed and dirty bits meanwhile, which changes no reference. Entries that refer to frames of other domains are made by grants only (PageTables.Grants.cs).
/// <b>Source</b>: xen.h, "direct paging".
/// </remarks>
internal sealed partial class PageTables
{
    private readonly Domain _domain;
    private readonly MachineMemory _memory;
    private readonly CodeMap _code;
    private readonly FrameTable _frames;
    private readonly DomainMemory _owned;

    /// <summary>The vCPU whose thread is in the section, if it is one's.</summary>
    private Vcpu? _actor;

    public PageTables(Domain domain, DomainMemory owned)
    {
        _domain = domain;
        _memory = domain.Machine.Memory;
        _code = domain.Machine.Code;
        _frames = domain.Machine.Frames;
        _owned = owned;
    }

    /// <summary>Takes the paging lock for an operation. Its end frees, after one flush, the frames that lost their last reference.</summary>
    public PagingSection Enter(Vcpu? actor) => new(_domain.PagingLock.EnterScope(), this, actor);

    /// <summary>References a frame and uses it as a type.</summary>
    public XenErrno GetPageAndType(Mfn frame, FrameType type)
    {
        if (!_frames.TryGetPage(frame, _domain.Id))
            return XenErrno.EINVAL;
        XenErrno error = GetType(frame, type);
        if (error != XenErrno.OK)
            PutPage(frame);
        return error;
    }

    /// <summary>Undoes <see cref="GetPageAndType"/>.</summary>
    public void PutPageAndType(Mfn frame)
    {
        PutType(frame);
        PutPage(frame);
    }

    /// <summary>Drops a reference; the last one frees the frame at the end of the section.</summary>
    public void PutPage(Mfn frame)
    {
        if (_frames.PutPage(frame))
            _owned.Discard(frame);
    }

    /// <summary>Gives a frame of the domain up: the owner's reference goes. False when it is not the domain's, or was given up before.</summary>
    public bool GiveUp(Mfn frame)
    {
        if (!_frames.IsOwnedBy(frame, _domain.Id) || !_frames.TryClearAllocated(frame))
            return false;
        PutPage(frame);
        return true;
    }

    /// <summary>Becomes a user of a type, the first of which validates the contents. The caller holds a reference.</summary>
    public XenErrno GetType(Mfn frame, FrameType type)
    {
        switch (_frames.AcquireType(frame, type, out FrameType before))
        {
            case TypeAcquisition.Refused:
                return XenErrno.EINVAL;
            case TypeAcquisition.Joined:
                return XenErrno.OK;
        }

        // A translation or a walk in flight from the old life may write the frame: none may be left before the new one begins.
        if (before != type && before != FrameType.None)
            _domain.Flushes.FlushSince(_actor, _frames.ReadStamp(frame));
        XenErrno error = Validate(frame, type);
        if (error == XenErrno.OK)
        {
            _frames.SetValid(frame);
            return error;
        }

        EndType(frame);
        return error;
    }

    /// <summary>Ends a use of the type; the last one lets go of what the contents refer to.</summary>
    public void PutType(Mfn frame)
    {
        // Uses as writable come and go without the lock; there is nothing to let go of.
        FrameType type = _frames.Type(frame);
        if (type != FrameType.Writable && _frames.TypeUsers(frame) == 1)
        {
            _frames.ClearValid(frame);
            Devalidate(frame, type, type == FrameType.SegmentDescriptors ? 0 : Page.EntriesPerTable);
        }

        EndType(frame);
    }

    /// <summary>Pins a table: it stays validated while nothing refers to it. <b>Errors</b>: EINVAL when it cannot be such a table, or is pinned.</summary>
    public XenErrno Pin(Mfn frame, int level)
    {
        XenErrno error = GetPageAndType(frame, TableType(level));
        if (error != XenErrno.OK || _frames.TrySetPinned(frame))
            return error;
        PutPageAndType(frame);
        return XenErrno.EINVAL;
    }

    /// <summary>Undoes a pin. <b>Errors</b>: EINVAL when the frame is not the domain's, or not pinned.</summary>
    public XenErrno Unpin(Mfn frame)
    {
        if (!_frames.IsOwnedBy(frame, _domain.Id) || !_frames.TryClearPinned(frame))
            return XenErrno.EINVAL;
        PutPageAndType(frame);
        return XenErrno.OK;
    }

    /// <summary>The table that holds the L1 entry of an address in a root, and its index. False when there is none.</summary>
    public bool TryFindL1(Mfn root, ulong linearAddress, out Mfn table, out int index)
    {
        table = root;
        index = (int)(linearAddress >> 12) & 511;
        if (_frames.TableLevel(root) != 4 || linearAddress - PageWalker.HypervisorStart < PageWalker.HypervisorEnd - PageWalker.HypervisorStart)
            return false;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ulong entry = _memory.ReadUInt64(table.Address + (((linearAddress >> shift) & 511) << 3));
            if (!PageTableEntry.IsPresent(entry))
                return false;
            table = PageTableEntry.Frame(entry);
        }

        return _frames.IsOwnedBy(table, _domain.Id) && _frames.TableLevel(table) == 1;
    }

    internal static FrameType TableType(int level) => (FrameType)level;

    private void EndType(Mfn frame)
    {
        _frames.AdvanceStamp(frame, _domain.Flushes.Now);
        _ = _frames.ReleaseType(frame);
    }

    /// <summary>The duration of an operation on the domain's memory.</summary>
    public readonly ref struct PagingSection
    {
        private readonly Lock.Scope _scope;
        private readonly PageTables _tables;

        internal PagingSection(Lock.Scope scope, PageTables tables, Vcpu? actor)
        {
            _scope = scope;
            _tables = tables;
            tables._actor = actor;
        }

        public void Dispose()
        {
            PageTables tables = _tables;
            Mfn[]? orphans = tables.DropForeign();
            tables._owned.FreeDiscarded(tables._actor);
            tables._actor = null;
            _scope.Dispose();
            if (orphans is not null)
                tables._domain.Machine.FreeOrphans(orphans);
        }
    }
}
