using Xen.Abi;

namespace Xen.Memory;

/// <summary>
/// Who owns each frame, how many references it has, and what it is used as. Two words per frame, each changed by compare-exchange only:
/// <code>
/// count   63       48   47         46       45      32 31            0
///        +-----------+-----------+--------+-----------+---------------+
///        | owner     | allocated | shared | 0         | references    |
///        +-----------+-----------+--------+-----------+---------------+
/// type    63       60   59         58       57      32 31            0
///        +-----------+-----------+--------+-----------+---------------+
///        | FrameType | pinned    | valid  | 0         | users of type |
///        +-----------+-----------+--------+-----------+---------------+
/// </code>
/// A frame is free when it has no references. "Allocated" is the owner's own reference, which a domain gives up with decrease_reservation;
/// every mapping, every use as a table or descriptor page holds one more. Each user of the type holds a reference, too.
/// </summary>
/// <remarks>
/// Any thread may take and drop references. Types of a domain's frames change under that domain's paging lock, because a new type may need
/// a flush or a validation before anybody relies on it; only uses as writable that need neither come and go without it
/// (<see cref="TryAcquireWritable"/>): those of other domains, by grants. A counter that would go below zero is our own fault and throws; one that is full refuses.
/// </remarks>
public sealed partial class FrameTable : IDisposable
{
    private const ulong CountMask = uint.MaxValue;
    private const int OwnerShift = 48;
    private const ulong Allocated = 1ul << 47;
    private const ulong Shared = 1ul << 46;

    private const int TypeShift = 60;
    private const ulong Pinned = 1ul << 59;
    private const ulong Valid = 1ul << 58;

    private readonly ulong _maxCount;

    /// <param name="frameCount">Frames of the machine.</param>
    /// <param name="maxCount">Most references, and most users of a type, that one frame may have.</param>
    public FrameTable(ulong frameCount, uint maxCount = uint.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frameCount, (ulong)uint.MaxValue);
        FrameCount = frameCount;
        _maxCount = maxCount;
        Allocate();
    }

    public ulong FrameCount { get; }

    /// <summary>Whether the frame exists and anybody refers to it.</summary>
    public bool IsInUse(Mfn frame) => frame.Value < FrameCount && (CountWord(frame) & CountMask) != 0;

    /// <summary>Whether the frame is in use and this domain's.</summary>
    public bool IsOwnedBy(Mfn frame, DomId owner)
    {
        if (frame.Value >= FrameCount)
            return false;
        ulong count = CountWord(frame);
        return (count & CountMask) != 0 && count >> OwnerShift == owner.Value;
    }

    /// <summary>The owner; meaningful while the frame is in use.</summary>
    public DomId Owner(Mfn frame) => new((ushort)(CountWord(frame) >> OwnerShift));

    /// <summary>References that the frame has, the owner's included.</summary>
    public uint References(Mfn frame) => (uint)CountWord(frame);

    /// <summary>Whether the owner's own reference is still there.</summary>
    public bool IsAllocated(Mfn frame) => (CountWord(frame) & Allocated) != 0;

    /// <summary>Whether it is the hypervisor's frame, shared with its owner: the owner cannot give it away or make it a table.</summary>
    public bool IsShared(Mfn frame) => (CountWord(frame) & Shared) != 0;

    /// <summary>What the frame is, or was last when <see cref="TypeUsers"/> is 0.</summary>
    public FrameType Type(Mfn frame) => (FrameType)(TypeWord(frame) >> TypeShift);

    /// <summary>How many users the type has.</summary>
    public uint TypeUsers(Mfn frame) => (uint)TypeWord(frame);

    public bool IsPinned(Mfn frame) => (TypeWord(frame) & Pinned) != 0;

    public bool IsValid(Mfn frame) => (TypeWord(frame) & Valid) != 0;

    /// <summary>Whether the frame is this type now, with contents that were validated where the type asks for it.</summary>
    public bool IsValidType(Mfn frame, FrameType type)
    {
        ulong word = TypeWord(frame);
        return (FrameType)(word >> TypeShift) == type && (word & CountMask) != 0 && (word & Valid) != 0;
    }

    /// <summary>The table level that the frame is validated for, 1 to 4; 0 when it is no table.</summary>
    public int TableLevel(Mfn frame)
    {
        ulong word = TypeWord(frame);
        ulong type = word >> TypeShift;
        return type is >= (ulong)FrameType.L1Table and <= (ulong)FrameType.L4Table && (word & CountMask) != 0 && (word & Valid) != 0 ? (int)type : 0;
    }

    /// <summary>Gives a free frame to a domain, with one reference: the owner's.</summary>
    public void Assign(Mfn frame, DomId owner)
    {
        Swap(ref CountWord(frame), 0, ((ulong)owner.Value << OwnerShift) | Allocated | 1, "a frame in use was handed out");
        TypeWord(frame) = 0;
        Stamp(frame) = 0;
    }

    /// <summary>Shares a free frame of the hypervisor with a domain: it may be mapped, writable or not, but never becomes anything else.</summary>
    public void AssignShared(Mfn frame, DomId owner)
    {
        TypeWord(frame) = ((ulong)FrameType.Writable << TypeShift) | Valid | 1;
        Stamp(frame) = 0;
        Swap(ref CountWord(frame), 0, ((ulong)owner.Value << OwnerShift) | Shared | 1, "a frame in use was handed out");
    }

    /// <summary>Takes a reference, when the frame is in use and this domain's.</summary>
    public bool TryGetPage(Mfn frame, DomId owner)
    {
        if (frame.Value >= FrameCount)
            return false;
        ref ulong word = ref CountWord(frame);
        ulong before = Volatile.Read(ref word);
        while (true)
        {
            ulong count = before & CountMask;
            if (count == 0 || count >= _maxCount || before >> OwnerShift != owner.Value)
                return false;
            ulong seen = Interlocked.CompareExchange(ref word, before + 1, before);
            if (seen == before)
                return true;
            before = seen;
        }
    }

    /// <summary>Drops a reference.</summary>
    /// <returns>Whether it was the last: the caller frees the frame.</returns>
    public bool PutPage(Mfn frame)
    {
        ref ulong word = ref CountWord(frame);
        ulong before = Volatile.Read(ref word);
        while (true)
        {
            if ((before & CountMask) == 0)
                Broken(frame, "has no reference to drop");
            ulong seen = Interlocked.CompareExchange(ref word, before - 1, before);
            if (seen == before)
                return (before & CountMask) == 1;
            before = seen;
        }
    }

    /// <summary>Takes the owner's own reference away, once. The caller then drops it with <see cref="PutPage"/>.</summary>
    public bool TryClearAllocated(Mfn frame) => (Interlocked.And(ref CountWord(frame), ~Allocated) & Allocated) != 0;

    /// <summary>Becomes one more user of a type, or the first of a new one when the frame has no users.</summary>
    /// <param name="frame">A frame that the caller holds a reference of.</param>
    /// <param name="type">What to use it as.</param>
    /// <param name="before">What it was last; only for the first user.</param>
    public TypeAcquisition AcquireType(Mfn frame, FrameType type, out FrameType before)
    {
        ref ulong word = ref TypeWord(frame);
        ulong old = Volatile.Read(ref word);
        while (true)
        {
            before = (FrameType)(old >> TypeShift);
            ulong users = old & CountMask;
            if (users != 0 && (before != type || users >= _maxCount))
                return TypeAcquisition.Refused;
            ulong wanted = users == 0 ? ((ulong)type << TypeShift) | (type == FrameType.Writable ? Valid : 0) | 1 : old + 1;
            ulong seen = Interlocked.CompareExchange(ref word, wanted, old);
            if (seen == old)
                return users == 0 ? TypeAcquisition.First : TypeAcquisition.Joined;
            old = seen;
        }
    }

    /// <summary>
    /// Becomes one more user of the frame as writable, if that needs neither a flush nor the paging lock: it is writable, or was nothing else before.
    /// </summary>
    /// <param name="frame">A frame that the caller holds a reference of.</param>
    /// <param name="needsLock">It may be had by <see cref="AcquireType"/>, under the owner's paging lock, after a flush.</param>
    public bool TryAcquireWritable(Mfn frame, out bool needsLock)
    {
        ref ulong word = ref TypeWord(frame);
        ulong old = Volatile.Read(ref word);
        while (true)
        {
            var type = (FrameType)(old >> TypeShift);
            ulong users = old & CountMask;
            needsLock = users == 0 && type is not FrameType.None and not FrameType.Writable;
            if (needsLock || (users != 0 && (type != FrameType.Writable || users >= _maxCount)))
                return false;
            ulong wanted = users == 0 ? ((ulong)FrameType.Writable << TypeShift) | Valid | 1 : old + 1;
            ulong seen = Interlocked.CompareExchange(ref word, wanted, old);
            if (seen == old)
                return true;
            old = seen;
        }
    }

    /// <summary>Takes a frame that nothing uses away from its owner and gives it to another. False when it is not so.</summary>
    public bool TryTransfer(Mfn frame, DomId from, DomId to)
    {
        if (frame.Value >= FrameCount)
            return false;
        const ulong Single = Allocated | 1;
        ulong before = ((ulong)from.Value << OwnerShift) | Single;
        return Interlocked.CompareExchange(ref CountWord(frame), ((ulong)to.Value << OwnerShift) | Single, before) == before;
    }

    /// <summary>Forgets what a frame without users of its type was: no translation of that time is left.</summary>
    public void ForgetType(Mfn frame)
    {
        if (TypeUsers(frame) != 0)
            Broken(frame, "changes hands while it is used");
        TypeWord(frame) = 0;
        Stamp(frame) = 0;
    }

    /// <summary>Drops a use of the type.</summary>
    /// <returns>Whether no users are left. The type is remembered, for the flush that another type needs; validity is gone.</returns>
    public bool ReleaseType(Mfn frame)
    {
        ref ulong word = ref TypeWord(frame);
        ulong before = Volatile.Read(ref word);
        while (true)
        {
            ulong users = before & CountMask;
            if (users == 0 || (users == 1 && (before & Pinned) != 0))
                Broken(frame, "has no use of its type to drop");
            ulong wanted = users == 1 ? (before - 1) & ~Valid : before - 1;
            ulong seen = Interlocked.CompareExchange(ref word, wanted, before);
            if (seen == before)
                return users == 1;
            before = seen;
        }
    }

    /// <summary>Says that the contents were validated for the type.</summary>
    public void SetValid(Mfn frame) => Interlocked.Or(ref TypeWord(frame), Valid);

    /// <summary>Says that the contents are no longer relied on.</summary>
    public void ClearValid(Mfn frame) => Interlocked.And(ref TypeWord(frame), ~Valid);

    /// <summary>Marks the frame pinned; the mark stands for one user of the type and its reference. False when it is already.</summary>
    public bool TrySetPinned(Mfn frame) => (Interlocked.Or(ref TypeWord(frame), Pinned) & Pinned) == 0;

    /// <summary>Takes the pin's mark away. False when there was none.</summary>
    public bool TryClearPinned(Mfn frame) => (Interlocked.And(ref TypeWord(frame), ~Pinned) & Pinned) != 0;

    /// <summary>A time on the owner's flush clock after which no user of the frame's type made a translation. Meaningful when there is no user.</summary>
    public ulong ReadStamp(Mfn frame) => Volatile.Read(ref Stamp(frame));

    /// <summary>
    /// Moves the frame's stamp on; it never goes back. To be called before each <see cref="ReleaseType"/>, the last or not: whoever sees the frame without users
    /// then sees a stamp that is not older than the end of any of them.
    /// </summary>
    public void AdvanceStamp(Mfn frame, ulong time)
    {
        ref ulong stamp = ref Stamp(frame);
        ulong before = Volatile.Read(ref stamp);
        while (before < time)
        {
            ulong seen = Interlocked.CompareExchange(ref stamp, time, before);
            if (seen == before)
                return;
            before = seen;
        }
    }

    /// <summary>Ends a share: only the hypervisor's own reference and use may be left.</summary>
    public void Unshare(Mfn frame)
    {
        if (!IsShared(frame) || References(frame) != 1 || TypeUsers(frame) != 1)
            Broken(frame, $"is still mapped ({References(frame)} references, {TypeUsers(frame)} uses)");
        TypeWord(frame) = 0;
        CountWord(frame) = 0;
    }

    /// <summary>Forgets what a frame without references was.</summary>
    public void Forget(Mfn frame)
    {
        if (References(frame) != 0 || TypeUsers(frame) != 0)
            Broken(frame, "was freed while in use");
        TypeWord(frame) = 0;
        CountWord(frame) = 0;
    }

    private static void Swap(ref ulong word, ulong before, ulong after, string fault)
    {
        if ((Interlocked.CompareExchange(ref word, after, before) & CountMask) != before)
            throw new InvalidOperationException(fault);
    }

    private static void Broken(Mfn frame, string fault) => throw new InvalidOperationException($"{frame} {fault}");
}
