using System.Diagnostics;
using Xen.Abi;

namespace Xen.Core;

/// <summary>The living entries. The guest may write any of their bytes at any time: each is read once, and changed by atomic operations.</summary>
public sealed partial class GrantTable
{
    /// <summary>How often the guest may change an entry while we set its flags.</summary>
    private const int MostRetries = 4;

    private const uint ReadingBit = (uint)GrantEntryFlags.Reading;
    private const uint WritingBit = (uint)GrantEntryFlags.Writing;

    private static GrantEntryFlags FlagsOf(uint head) => (GrantEntryFlags)(ushort)head;

    private static DomId DomainOf(uint head) => new((ushort)(head >> 16));

    /// <summary>Sets the bits that say that a grant is in use, if it grants what is asked for.</summary>
    /// <param name="reference">A lawful reference.</param>
    /// <param name="user">Who asks.</param>
    /// <param name="isFirst">It is not in use: type and domain are to be checked. Afterwards they are what they were at the first use.</param>
    /// <param name="readOnly">Whether it is only read.</param>
    /// <param name="map">It shall be mapped: a part of a page is not good enough.</param>
    private GrantStatus BeginAccess(GrantRef reference, DomId user, bool isFirst, bool readOnly, bool map) =>
        Version == 1 ? BeginV1(reference, user, isFirst, readOnly, map) : BeginV2(reference, user, isFirst, readOnly, map);

    private GrantStatus BeginV1(GrantRef reference, DomId user, bool isFirst, bool readOnly, bool map)
    {
        ref uint head = ref HeadOf(reference);
        uint seen = Volatile.Read(ref head);
        for (int i = 0; i < MostRetries; i++)
        {
            if (isFirst && !Grants(seen, user, map, transitive: false))
                return GrantStatus.GeneralError;
            if (!readOnly && (FlagsOf(seen) & GrantEntryFlags.Readonly) != 0)
                return GrantStatus.GeneralError;
            uint before = Interlocked.CompareExchange(ref head, seen | ReadingBit | (readOnly ? 0 : WritingBit), seen);
            if (before == seen)
                return GrantStatus.Okay;
            seen = before;
        }

        return GrantStatus.GeneralError;
    }

    private GrantStatus BeginV2(GrantRef reference, DomId user, bool isFirst, bool readOnly, bool map)
    {
        ref uint head = ref HeadOf(reference);
        if (!IsLawful(Volatile.Read(ref head)))
            return GrantStatus.GeneralError;

        // The full barrier: a guest that takes the grant back and then sees no status bit has done so before the second look.
        SetStatus(reference, ReadingBit | (readOnly ? 0 : WritingBit));
        if (IsLawful(Volatile.Read(ref head)))
            return GrantStatus.Okay;
        ClearInUse(reference, isFirst ? ReadingBit | WritingBit : WritingBit);
        return GrantStatus.GeneralError;

        bool IsLawful(uint entry) =>
            (!isFirst || Grants(entry, user, map, transitive: !map)) && (readOnly || (FlagsOf(entry) & GrantEntryFlags.Readonly) == 0);
    }

    private static bool Grants(uint head, DomId user, bool map, bool transitive)
    {
        GrantEntryFlags kind = FlagsOf(head) & (GrantEntryFlags.TypeMask | (map ? GrantEntryFlags.SubPage : 0));
        return DomainOf(head) == user && (kind == GrantEntryFlags.PermitAccess || (transitive && kind == GrantEntryFlags.Transitive));
    }

    /// <summary>Takes the bits away that no use stands for any more.</summary>
    /// <param name="reference">A reference; the table may have gone meanwhile.</param>
    /// <param name="pins">The uses that are left.</param>
    private void Settle(GrantRef reference, ulong pins)
    {
        if (pins == 0)
            ClearInUse(reference, ReadingBit | WritingBit);
        else if ((pins & GrantPins.Writers) == 0)
            ClearInUse(reference, WritingBit);
    }

    private void ClearInUse(GrantRef reference, uint bits)
    {
        if (reference.Value >= EntryCount)
            return;
        if (Version == 1)
            _ = Interlocked.And(ref HeadOf(reference), ~bits);
        else
            ChangeStatus(reference, bits, set: false);
    }

    private void SetStatus(GrantRef reference, uint bits) => ChangeStatus(reference, bits, set: true);

    /// <summary>Changes bits of a status word, two of which share the four bytes that an atomic operation needs.</summary>
    private void ChangeStatus(GrantRef reference, uint bits, bool set)
    {
        ulong address = StatusAddress(reference);
        int shift = (int)(address & 2) * 8;
        ref uint pair = ref _memory.Ref<uint>(address & ~3ul);
        _code.NoteWrite(Mfn.FromAddress(address));
        _ = set ? Interlocked.Or(ref pair, bits << shift) : Interlocked.And(ref pair, ~(bits << shift));
    }

    /// <summary>The frame that an entry names: a claim.</summary>
    private Mfn ReadFrame(GrantRef reference) => Version == 1
        ? new Mfn(Volatile.Read(ref _memory.Ref<uint>(EntryAddress(reference) + GrantEntryV1Layout.Frame)))
        : new Mfn(_memory.ReadUInt64(EntryAddress(reference) + GrantEntryV2Layout.FullPageFrame));

    /// <summary>The first four bytes of an entry, in both layouts: flags, domain. For changing.</summary>
    private ref uint HeadOf(GrantRef reference)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        ulong address = EntryAddress(reference);
        _code.NoteWrite(Mfn.FromAddress(address));
        return ref _memory.Ref<uint>(address);
    }

    private ulong EntryAddress(GrantRef reference)
    {
        int size = Page.Size / EntriesPerFrame;
        (uint frame, uint index) = Math.DivRem(reference.Value, (uint)EntriesPerFrame);
        return _frames[(int)frame].Address + (index * (uint)size);
    }

    private ulong StatusAddress(GrantRef reference)
    {
        (uint frame, uint index) = Math.DivRem(reference.Value, (uint)StatusPerFrame);
        return _statusFrames[(int)frame].Address + (index * GrantEntryV2Layout.StatusSize);
    }
}
