using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>A grant begins to be used, and ceases to be.</summary>
/// <remarks>
/// Each use counts as a pin of the entry and holds a reference of the frame, and one that writes a use of it as writable. They are dropped apart:
/// first the frame's, after a flush where a guest had it mapped, then the pin, with which the guest's entry is told.
/// </remarks>
public sealed partial class GrantTable
{
    /// <summary>Begins a mapping: pins the entry and references the frame.</summary>
    /// <param name="reference">The grant, a claim.</param>
    /// <param name="user">Who maps it.</param>
    /// <param name="flags">For host, device or both; each has a pin and references of its own.</param>
    /// <param name="current">The vCPU that the calling thread runs, if it does. No lock is held.</param>
    /// <param name="frame">The frame.</param>
    internal GrantStatus BeginMap(GrantRef reference, DomId user, GrantMapFlags flags, Vcpu? current, out Mfn frame)
    {
        bool readOnly = (flags & GrantMapFlags.Readonly) != 0;
        ulong pins = GrantPins.Of(flags);
        GrantStatus status;
        lock (_lock)
            status = PinForMap(reference, user, pins, readOnly, out frame);
        if (status != GrantStatus.Okay)
            return status;
        if (!TryUse(frame, readOnly, current))
        {
            Unpin(reference, pins);
            return GrantStatus.GeneralError;
        }

        const GrantMapFlags Both = GrantMapFlags.HostMap | GrantMapFlags.DeviceMap;
        if ((flags & Both) != Both || (_domain.TryReference(frame) && TryUse(frame, readOnly, current)))
            return GrantStatus.Okay;
        _domain.Release(frame, !readOnly);
        Unpin(reference, pins);
        return GrantStatus.GeneralError;
    }

    /// <summary>Ends mappings: takes the pins away. The frame's references have gone before.</summary>
    internal void Unpin(GrantRef reference, ulong pins)
    {
        lock (_lock)
        {
            ref ActiveGrant active = ref _active[reference.Value];
            active.Pins -= pins;
            if (active.Pins == 0)
                active.Origin = null;
            Settle(reference, active.Pins);
        }
    }

    /// <summary>Begins a copy from or to a granted page.</summary>
    /// <param name="reference">The grant, a claim.</param>
    /// <param name="user">Who copies.</param>
    /// <param name="readOnly">Whether it is only read.</param>
    /// <param name="current">The vCPU that the calling thread runs, if it does. No lock is held.</param>
    /// <param name="window">What may be used, until <see cref="EndCopy"/>.</param>
    internal GrantStatus BeginCopy(GrantRef reference, DomId user, bool readOnly, Vcpu? current, out GrantWindow window) =>
        BeginCopy(reference, user, readOnly, current, mayBeTransitive: true, out window);

    /// <summary>Ends a copy.</summary>
    internal void EndCopy(GrantRef reference, bool readOnly, in GrantWindow window)
    {
        window.Owner.Release(window.Frame, !readOnly);
        UnpinCopy(reference, readOnly);
    }

    private GrantStatus PinForMap(GrantRef reference, DomId user, ulong pins, bool readOnly, out Mfn frame)
    {
        frame = Mfn.Invalid;
        if (_domain.IsDying)
            return GrantStatus.GeneralError;
        if (reference.Value >= EntryCount)
            return GrantStatus.BadGntref;
        ref ActiveGrant active = ref _active[reference.Value];
        if (active.Pins != 0 && (active.User != user || active.IsPart || (active.Pins & GrantPins.Full) != 0))
            return GrantStatus.GeneralError;
        GrantStatus status = Check(reference, user, active.Pins, readOnly, map: true);
        if (status != GrantStatus.Okay)
            return status;
        frame = active.Pins == 0 ? ReadFrame(reference) : active.Frame;
        if (!TryReferencePage(frame))
        {
            Settle(reference, active.Pins);
            return GrantStatus.BadPage;
        }

        if (active.Pins == 0)
            active = new ActiveGrant { User = user, Frame = frame, Length = Page.Size };
        active.Pins += pins;
        return GrantStatus.Okay;
    }

    /// <summary>Asks the guest's entry, unless the uses that there are have done so already.</summary>
    private GrantStatus Check(GrantRef reference, DomId user, ulong pins, bool readOnly, bool map)
    {
        bool needed = pins == 0 || (!readOnly && (pins & GrantPins.Writers) == 0);
        return needed ? BeginAccess(reference, user, pins == 0, readOnly, map) : GrantStatus.Okay;
    }

    /// <summary>References a page that the guest may grant: one of its own, and none of the hypervisor's that it shares with the guest.</summary>
    private bool TryReferencePage(Mfn frame)
    {
        FrameTable frames = _domain.Machine.Frames;
        if (frame.Value >= frames.FrameCount || frames.IsShared(frame) || !_domain.TryReference(frame))
            return false;
        if (!frames.IsShared(frame))
            return true;

        // It has become one just now. The hypervisor's own reference is left, so this is not the last.
        _ = _domain.DropReference(frame, writable: false);
        return false;
    }

    /// <summary>Uses a referenced frame as writable, if it is to be; else lets go of it.</summary>
    private bool TryUse(Mfn frame, bool readOnly, Vcpu? current)
    {
        if (readOnly || _domain.TryUseWritable(frame, current))
            return true;
        _domain.Release(frame, writable: false);
        return false;
    }

    private GrantStatus BeginCopy(GrantRef reference, DomId user, bool readOnly, Vcpu? current, bool mayBeTransitive, out GrantWindow window)
    {
        window = default;
        GrantStatus status;
        ActiveGrant grant;
        bool isTransitive;
        lock (_lock)
            status = PinForCopy(reference, user, readOnly, out grant, out isTransitive);
        if (status != GrantStatus.Okay)
            return status;
        if (isTransitive)
            return mayBeTransitive ? BeginTransitive(reference, user, readOnly, current, grant, out window) : Refuse(reference);
        if (!TryUse(grant.Frame, readOnly, current))
        {
            UnpinCopy(reference, readOnly);
            return GrantStatus.GeneralError;
        }

        window = new GrantWindow(_domain, grant.Frame, grant.Start, grant.Length);
        return GrantStatus.Okay;
    }

    /// <summary>Pins a grant for a copy and references its frame; of a transitive one it only says whose it is.</summary>
    private GrantStatus PinForCopy(GrantRef reference, DomId user, bool readOnly, out ActiveGrant grant, out bool isTransitive)
    {
        grant = default;
        isTransitive = false;
        if (_domain.IsDying)
            return GrantStatus.GeneralError;
        if (reference.Value >= EntryCount)
            return GrantStatus.BadGntref;
        ref ActiveGrant active = ref _active[reference.Value];
        if (active.Pins != 0 && (active.User != user || (active.Pins & GrantPins.Full) != 0))
            return GrantStatus.GeneralError;
        GrantStatus status = Check(reference, user, active.Pins, readOnly, map: false);
        if (status != GrantStatus.Okay)
            return status;

        // While it is in use, what it was at its first use counts.
        if (active.Pins != 0)
            grant = active;
        else if (!TryReadGrant(reference, user, out grant))
            return Refuse(reference, GrantStatus.GeneralError);
        isTransitive = grant.Origin is not null;
        if (isTransitive)
            return GrantStatus.Okay;
        if (!TryReferencePage(grant.Frame))
            return Refuse(reference, GrantStatus.BadPage);
        if (active.Pins == 0)
            active = grant;
        active.Pins += GrantPins.OfCopy(readOnly);
        return GrantStatus.Okay;
    }

    /// <summary>Reads what an entry grants, a whole page, a part, or another domain's grant.</summary>
    private bool TryReadGrant(GrantRef reference, DomId user, out ActiveGrant grant)
    {
        grant = new ActiveGrant { User = user, Length = Page.Size };
        if (Version == 1)
        {
            grant.Frame = ReadFrame(reference);
            return true;
        }

        ulong address = EntryAddress(reference);
        ulong first = _memory.ReadUInt64(address);
        ulong second = _memory.ReadUInt64(address + GrantEntryV2Layout.FullPageFrame);
        GrantEntryFlags flags = FlagsOf((uint)first);
        if ((flags & GrantEntryFlags.TypeMask) == GrantEntryFlags.Transitive)
        {
            var id = new DomId((ushort)(first >> (8 * GrantEntryV2Layout.TransitiveTransDomid)));
            grant.Origin = id == Owner ? null : _domain.Machine.FindDomain(id)?.Grants;
            grant.OriginRef = new GrantRef((uint)second);
            grant.IsPart = true;
            return grant.Origin is not null;
        }

        grant.Frame = new Mfn(second);
        if ((flags & GrantEntryFlags.SubPage) == 0)
            return true;
        grant.IsPart = true;
        grant.Start = (ushort)(first >> (8 * GrantEntryV2Layout.SubPagePageOff));
        grant.Length = (ushort)(first >> (8 * GrantEntryV2Layout.SubPageLength));
        return grant.Start + grant.Length <= Page.Size;
    }

    /// <summary>
    /// Uses another domain's grant, to this one, for the user of one of ours. That happens without our lock, so afterwards nothing may have
    /// changed; else the caller shall try again.
    /// </summary>
    private GrantStatus BeginTransitive(GrantRef reference, DomId user, bool readOnly, Vcpu? current, in ActiveGrant grant, out GrantWindow window)
    {
        GrantStatus status = grant.Origin!.BeginCopy(grant.OriginRef, Owner, readOnly, current, mayBeTransitive: false, out window);
        if (status != GrantStatus.Okay)
        {
            _ = Refuse(reference);
            return status;
        }

        lock (_lock)
        {
            ref ActiveGrant active = ref _active[reference.Value];
            bool isSame = reference.Value < EntryCount && Version == 2 && active.Pins == grant.Pins && !_domain.IsDying
                && (grant.Pins == 0 || (active.Frame == window.Frame && active.Origin == grant.Origin && active.OriginRef == grant.OriginRef && active.User == user));
            if (isSame)
            {
                if (active.Pins == 0)
                    active = grant with { Frame = window.Frame, Start = (ushort)window.Start, Length = (ushort)window.Length };
                active.Pins += GrantPins.OfCopy(readOnly);
                return GrantStatus.Okay;
            }

            Settle(reference, active.Pins);
        }

        grant.Origin.EndCopy(grant.OriginRef, readOnly, window);
        window = default;
        return GrantStatus.Eagain;
    }

    private void UnpinCopy(GrantRef reference, bool readOnly)
    {
        GrantTable? origin;
        GrantRef originRef;
        lock (_lock)
        {
            ref ActiveGrant active = ref _active[reference.Value];
            origin = active.Origin;
            originRef = active.OriginRef;
        }

        Unpin(reference, GrantPins.OfCopy(readOnly));
        origin?.UnpinCopy(originRef, readOnly);
    }

    private GrantStatus Refuse(GrantRef reference)
    {
        lock (_lock)
            return Refuse(reference, GrantStatus.GeneralError);
    }

    private GrantStatus Refuse(GrantRef reference, GrantStatus status)
    {
        Settle(reference, _active[reference.Value].Pins);
        return status;
    }
}
