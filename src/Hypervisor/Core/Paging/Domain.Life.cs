using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>The domain's memory as its creator sees it: given, built into, and taken back. Before the domain runs, or after it has ended.</summary>
public sealed partial class Domain
{
    /// <summary>Frame of each page while the domain is built.</summary>
    private Mfn[] _buildMap = [];

    private bool _memoryReleased;

    /// <summary>Memory that the domain has. <b>Units</b>: frames.</summary>
    public ulong TotalPages => OwnedMemory.TotalPages;

    /// <summary>Memory that the domain may have at most. <b>Units</b>: frames.</summary>
    public ulong MaxPages
    {
        get => OwnedMemory.MaxPages;
        set
        {
            lock (PagingLock)
                OwnedMemory.MaxPages = value;
        }
    }

    /// <summary>Where the RAM ends in the memory map that the guest is told; 0: at <see cref="MaxPages"/>. <b>Units</b>: frames.</summary>
    public ulong MemoryMapPages { get; set; }

    /// <summary>Gives a new domain its memory: pages 0 to <paramref name="count"/> - 1, zeroed, entered in the machine-to-physical table.</summary>
    /// <returns>ENOMEM when <see cref="MaxPages"/> or the machine has less; then the domain gets none.</returns>
    public XenErrno AllocateMemory(ulong count)
    {
        using PageTables.PagingSection section = Tables.Enter(null);
        if (TotalPages != 0)
            return XenErrno.EBUSY;
        if (count > MaxPages || count > Machine.Allocator.FreeFrames)
            return XenErrno.ENOMEM;
        _buildMap = new Mfn[count];
        for (ulong pfn = 0; pfn < count; pfn++)
        {
            if (OwnedMemory.TryAllocate(out Mfn frame) != XenErrno.OK)
            {
                GiveBackAll();
                return XenErrno.ENOMEM;
            }

            _buildMap[pfn] = frame;
            Machine.Memory.WriteM2p(frame, pfn);
        }

        return XenErrno.OK;
    }

    /// <summary>The frame behind a page that <see cref="AllocateMemory"/> gave. Only until <see cref="ForgetBuild"/>: later the guest itself decides what its pages are.</summary>
    public Mfn FrameOf(Pfn pfn) => _buildMap[pfn.Value];

    /// <summary>Drops the table behind <see cref="FrameOf"/>.</summary>
    public void ForgetBuild() => _buildMap = [];

    /// <summary>Validates and pins the page tables that a builder has written, from their root on.</summary>
    /// <returns>EINVAL or EBUSY when an entry is not lawful.</returns>
    public XenErrno PinInitialTables(Mfn root)
    {
        using PageTables.PagingSection section = Tables.Enter(null);
        return Tables.Pin(root, 4);
    }

    /// <summary>
    /// Takes all memory of a domain that has ended: every type and reference is dropped, every frame freed. No vCPU runs, and none will.
    /// A frame that others have mapped by a grant is freed when the last of them lets go of it.
    /// </summary>
    /// <exception cref="InvalidOperationException">References are left that nobody accounts for: a fault of the hypervisor.</exception>
    public void ReleaseMemory()
    {
        using (PageTables.PagingSection section = Tables.Enter(null))
        {
            if (_memoryReleased)
                return;
            _memoryReleased = true;
            OwnedMemory.MaxPages = 0;
            ReleaseUses();
            Unpin();
        }

        Maps.ReleaseAll();
        using (PageTables.PagingSection section = Tables.Enter(null))
        {
            GiveBackAll();
            OwnedMemory.FreeDiscarded(null);
            Flushes.FlushAll(null);
        }

        Grants.Release();
        if (SharedInfoFrame != Mfn.Invalid)
            Machine.FreeShared(SharedInfoFrame);
    }

    private void ReleaseUses()
    {
        foreach (Vcpu vcpu in _vcpus)
        {
            VcpuState state = vcpu.State;
            DropRoot(state.KernelRoot);
            DropRoot(state.UserRoot);
            state.KernelRoot = state.UserRoot = Mfn.Invalid;
            vcpu.Descriptors.Release();
        }

        foreach (Mfn frame in _held)
            Tables.PutPageAndType(frame);
        _held.Clear();
    }

    private void Unpin()
    {
        // First a list: unpinning may free frames, and with them the place in the list of frames.
        List<Mfn> pinned = [];
        FrameList owned = OwnedMemory.Owned;
        for (Mfn frame = owned.First; frame != Mfn.Invalid; frame = owned.After(frame))
        {
            if (Machine.Frames.IsPinned(frame))
                pinned.Add(frame);
        }

        foreach (Mfn frame in pinned)
            _ = Tables.Unpin(frame);
    }

    private void GiveBackAll()
    {
        FrameList owned = OwnedMemory.Owned;
        for (Mfn frame = owned.First, next; frame != Mfn.Invalid; frame = next)
        {
            next = owned.After(frame);
            if (Machine.Frames.TryClearAllocated(frame))
                Tables.PutPage(frame);
        }

        // One that counts its reference does so before it has it, and stops to count it after: what is left here without one is ours.
        if (owned.Count != 0 && OutsideReferences == 0)
        {
            Mfn frame = owned.First;
            throw new InvalidOperationException($"{Id} leaks {frame}: {Machine.Frames.References(frame)} references, {Machine.Frames.TypeUsers(frame)} uses as {Machine.Frames.Type(frame)}");
        }
    }
}
