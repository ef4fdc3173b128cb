using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>The machine's frames.</summary>
public sealed partial class Machine
{
    /// <summary>Owners, references and types of all frames.</summary>
    public FrameTable Frames { get; }

    /// <summary>The free frames.</summary>
    public FrameAllocator Allocator { get; }

    /// <summary>
    /// Takes a frame for the hypervisor and shares it with a domain, which may map it, writable too: shared_info, grant table.
    /// It does not count as the domain's memory.
    /// </summary>
    /// <param name="domain">The domain; need not exist yet.</param>
    /// <param name="frame">The frame, zeroed.</param>
    /// <returns>False when the machine has no frame left.</returns>
    public bool TryAllocateShared(DomId domain, out Mfn frame)
    {
        if (!Allocator.TryAllocate(out frame))
            return false;
        Frames.AssignShared(frame, domain);
        Memory.WriteM2p(frame, Pfn.Invalid.Value);
        return true;
    }

    /// <summary>The domain that a frame in use belongs to; it may be dead.</summary>
    internal Domain OwnerOf(Mfn frame) =>
        FindAny(Frames.Owner(frame)) ?? throw new InvalidOperationException($"{frame} has no owner");

    /// <summary>Makes the domains that share a frame with this one drop writable translations of it.</summary>
    internal void RevokeSharedWrites(Domain domain, Mfn frame)
    {
        foreach (Domain? other in Volatile.Read(ref _numbers))
        {
            if (other is not null && other != domain && (Frames.IsOwnedBy(frame, other.Id) || other.Tables.Foreign.Allows(frame, write: true)))
                other.RevokeOwnWrites(null);
        }
    }

    /// <summary>Frees frames that have lost their last reference, each its owner's. No paging lock is held.</summary>
    internal void FreeOrphans(ReadOnlySpan<Mfn> frames)
    {
        foreach (Mfn frame in frames)
            OwnerOf(frame).FreeOrphan(frame);
    }

    /// <summary>Ends the share and frees the frame. The domain must have no mapping of it, cached or not.</summary>
    public void FreeShared(Mfn frame)
    {
        Frames.Unshare(frame);
        Code.NoteWrite(frame);
        Allocator.Free(frame, 1);
    }
}
