using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>The domain's frames and page tables, as engines ask for them.</summary>
public sealed partial class Domain
{
    /// <summary>VMASST_TYPE_writable_pagetables: writes to L1 tables through read-only mappings are emulated.</summary>
    public bool WritablePageTables { get; set; }

    /// <summary>Flushes of the vCPUs' translations.</summary>
    internal TlbFlushes Flushes { get; }

    /// <summary>The frames that the domain owns.</summary>
    internal DomainMemory OwnedMemory { get; }

    /// <summary>Its page tables, and all types of its frames.</summary>
    internal PageTables Tables { get; }

    /// <summary>The domain's grant table.</summary>
    public GrantTable Grants { get; }

    /// <summary>What it has mapped of others' grants.</summary>
    internal GrantMaps Maps { get; }

    /// <inheritdoc/>
    public bool MayAccess(Mfn frame, bool write)
    {
        FrameTable frames = Machine.Frames;
        if (frames.IsOwnedBy(frame, Id))
            return !write || frames.IsValidType(frame, FrameType.Writable);

        if (Tables.Foreign.Allows(frame, write))
            return !write || frames.IsValidType(frame, FrameType.Writable);

        // The machine-to-physical table is everybody's to read.
        return !write && frame.Value - MachineMemory.FirstM2pFrame.Value < Machine.Memory.M2pFrames;
    }

    /// <inheritdoc/>
    public bool IsEmulatedPageTable(Mfn frame) =>
        WritablePageTables && Machine.Frames.IsOwnedBy(frame, Id) && Machine.Frames.TableLevel(frame) == 1;

    /// <inheritdoc/>
    public PageTableWrite WritePageTable(VcpuState vcpu, Mfn frame, int index, ulong expected, ulong value)
    {
        using PageTables.PagingSection section = Tables.Enter(FindVcpu(vcpu));

        // No table any more since the engine asked: the instruction finds out when it is executed again.
        if (!IsEmulatedPageTable(frame) || (uint)index >= Page.EntriesPerTable)
            return PageTableWrite.Changed;
        return Tables.Update(frame, 1, index, value, EntryStore.Expected, expected) switch
        {
            XenErrno.OK => PageTableWrite.Done,
            XenErrno.EAGAIN => PageTableWrite.Changed,
            _ => PageTableWrite.Refused,
        };
    }

    /// <inheritdoc/>
    public void RevokeWrites(VcpuState vcpu, Mfn frame)
    {
        RevokeOwnWrites(vcpu);

        // A page that grants share: its owner and all who have mapped it may write it.
        Machine.RevokeSharedWrites(this, frame);
    }

    internal void RevokeOwnWrites(VcpuState? except)
    {
        foreach (Vcpu other in _vcpus)
        {
            if (other.State != except)
                other.State.RequestTlbFlush();
        }

        foreach (Vcpu other in _vcpus)
        {
            if (other.State != except)
                other.State.WaitForFlush();
        }
    }

    private Vcpu? FindVcpu(VcpuState state)
    {
        foreach (Vcpu vcpu in _vcpus)
        {
            if (vcpu.State == state)
                return vcpu;
        }

        return null;
    }
}
