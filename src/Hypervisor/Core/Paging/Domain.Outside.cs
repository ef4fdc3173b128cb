using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>References of this domain's frames by others: other domains and services of the host that it has granted them to.</summary>
/// <remarks>
/// They are taken and dropped without the paging lock, as a rule. A frame that still has some when its owner gives it up, or dies, stays the owner's until the last has
/// gone: so a dead domain keeps its number as long as there is such a frame (<see cref="Machine.ReleaseNumber"/>).
/// </remarks>
public sealed partial class Domain
{
    private long _outsideReferences;

    /// <summary>References that others have of the domain's frames.</summary>
    internal long OutsideReferences => Interlocked.Read(ref _outsideReferences);

    /// <summary>It has been destroyed; frames that others still refer to may be left.</summary>
    internal bool IsGone { get; set; }

    /// <summary>Takes a reference of a frame of this domain.</summary>
    internal bool TryReference(Mfn frame)
    {
        _ = Interlocked.Increment(ref _outsideReferences);
        if (Machine.Frames.TryGetPage(frame, Id))
            return true;
        _ = Interlocked.Decrement(ref _outsideReferences);
        return false;
    }

    /// <summary>Uses a frame that the caller has referenced as writable, too.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="current">The vCPU of any domain that the calling thread runs, if it does. It holds no paging lock.</param>
    internal bool TryUseWritable(Mfn frame, Vcpu? current)
    {
        if (Machine.Frames.TryAcquireWritable(frame, out bool needsLock))
            return true;
        if (!needsLock)
            return false;
        using PageTables.PagingSection section = Tables.Enter(current?.Domain == this ? current : null);
        return Tables.GetType(frame, FrameType.Writable) == XenErrno.OK;
    }

    /// <summary>Undoes <see cref="TryReference"/>, and <see cref="TryUseWritable"/> too if <paramref name="writable"/>. No paging lock is held.</summary>
    internal void Release(Mfn frame, bool writable)
    {
        if (DropReference(frame, writable))
            FreeOrphan(frame);
    }

    /// <summary>The same under a lock.</summary>
    /// <returns>Whether it was the last reference: then <see cref="FreeOrphan"/> is to follow, without the lock.</returns>
    internal bool DropReference(Mfn frame, bool writable)
    {
        if (writable)
        {
            Machine.Frames.AdvanceStamp(frame, Flushes.Now);
            _ = Machine.Frames.ReleaseType(frame);
        }

        // The last one counts until its frame is freed.
        if (Machine.Frames.PutPage(frame))
            return true;
        _ = Interlocked.Decrement(ref _outsideReferences);
        return false;
    }

    /// <summary>Says that a reference of an own frame has become one of this domain's own page tables.</summary>
    internal void AdoptReference() => Interlocked.Decrement(ref _outsideReferences);

    /// <summary>Frees a frame that has no reference any more. No paging lock is held.</summary>
    internal void FreeOrphan(Mfn frame)
    {
        using (PageTables.PagingSection section = Tables.Enter(null))
        {
            OwnedMemory.Discard(frame);
            _ = Interlocked.Decrement(ref _outsideReferences);
        }

        // One of the two sees the other: who ends the domain says that it is gone and then looks for frames.
        Interlocked.MemoryBarrier();
        if (IsGone && TotalPages == 0)
            Machine.ReleaseNumber(this);
    }
}
