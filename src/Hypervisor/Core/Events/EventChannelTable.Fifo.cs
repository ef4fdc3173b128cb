using Xen.Abi;

namespace Xen.Core;

/// <summary>The way from the two-level ABI to queues and back.</summary>
public sealed partial class EventChannelTable
{
    /// <summary>Whether the guest has chosen the FIFO ABI.</summary>
    public bool UsesFifo => _abi is not null && Abi is FifoEvents;

    /// <summary>The FIFO ABI's state, or null while the guest uses two levels.</summary>
    internal FifoEvents? Fifo => _abi is null ? null : Abi as FifoEvents;

    /// <summary>
    /// Gives a vCPU its control block (EVTCHNOP_init_control). The first one changes the domain over to the FIFO ABI; events that are pending go along,
    /// and so do those that came for a vCPU before it had a block.
    /// </summary>
    /// <param name="vcpu">Whose block.</param>
    /// <param name="frame">The guest's frame. It is held until the domain goes back or ends.</param>
    /// <param name="offset">Where in the frame. <b>Units</b>: bytes.</param>
    /// <param name="current">The vCPU that the calling thread runs, if it does.</param>
    /// <returns>ENOENT: no such vCPU. EINVAL: the block is not 8-aligned within a page, the frame is not the domain's to write, or the vCPU has a block.</returns>
    public XenErrno InitControl(uint vcpu, Mfn frame, uint offset, Vcpu? current)
    {
        if (!HasVcpu(vcpu))
            return XenErrno.ENOENT;
        if (offset > Page.Size - FifoControlBlockLayout.Size || offset % sizeof(ulong) != 0 || !TryHold(frame, current))
            return XenErrno.EINVAL;
        XenErrno errno;
        lock (_lock)
            errno = InitControlLocked((int)vcpu, frame, offset);
        if (errno != XenErrno.OK)
            _domain!.ReleaseHold(frame, current);
        return errno;
    }

    /// <summary>Adds a page to the event array (EVTCHNOP_expand_array). Events that came for its ports before are raised.</summary>
    /// <returns>EOPNOTSUPP: two-level ABI. EINVAL: the frame is not the domain's to write. ENOSPC: the array has all its pages.</returns>
    public XenErrno ExpandArray(Mfn frame, Vcpu? current)
    {
        if (!UsesFifo)
            return XenErrno.EOPNOTSUPP;
        if (!TryHold(frame, current))
            return XenErrno.EINVAL;
        XenErrno errno;
        lock (_lock)
            errno = ExpandArrayLocked(frame);
        if (errno != XenErrno.OK)
            _domain!.ReleaseHold(frame, current);
        return errno;
    }

    /// <summary>Chooses how urgent a port's events are (EVTCHNOP_set_priority). One that is queued stays where it is.</summary>
    /// <returns>EINVAL: no such port or priority. ENOSYS: two-level ABI. EACCES: the port is closed.</returns>
    public XenErrno SetPriority(EvtchnPort port, uint priority)
    {
        lock (_lock)
        {
            if (!HasPort(port))
                return XenErrno.EINVAL;
            if (!UsesFifo)
                return XenErrno.ENOSYS;
            EventChannel channel = Find(port);
            if (channel.State == EvtchnStatusKind.Closed || channel.Host is not null)
                return XenErrno.EACCES;
            if (priority > FifoEventLimits.PriorityMin)
                return XenErrno.EINVAL;
            Set(port, channel with { Priority = (int)priority });
            return XenErrno.OK;
        }
    }

    private bool TryHold(Mfn frame, Vcpu? current) =>
        _domain!.Machine.Memory.Contains(frame) && _domain.TryHoldWritable(frame, current);

    private XenErrno InitControlLocked(int vcpu, Mfn frame, uint offset)
    {
        if (_closed || Fifo?.HasControlBlock(vcpu) == true)
            return XenErrno.EINVAL;
        if (!_gate.TryEnter())
            return XenErrno.EINVAL;
        if (Fifo is { } fifo)
        {
            fifo.SetControlBlock(vcpu, frame, offset);
            RaiseAgain(fifo, vcpu);
        }
        else
        {
            ChangeOver(vcpu, frame, offset);
        }

        _gate.Exit();
        return XenErrno.OK;
    }

    private void ChangeOver(int vcpu, Mfn frame, uint offset)
    {
        IEventAbi before = Abi;
        var fifo = new FifoEvents(_domain!, MaxPort);
        fifo.SetControlBlock(vcpu, frame, offset);

        // First the new way, then the look at the old one: a sender that does not see the new one has its event found here.
        Volatile.Write(ref _abi, fifo);
        Interlocked.MemoryBarrier();
        for (uint i = 1; i < _ports.Length; i++)
        {
            var port = new EvtchnPort(i);
            EventChannel channel = Find(port);
            if (channel.State != EvtchnStatusKind.Closed && channel.Host is null && before.ClearPending(port))
                SetPending(port, channel);
        }
    }

    /// <summary>What was sent to a vCPU that had no queues is pending and not linked.</summary>
    private void RaiseAgain(FifoEvents fifo, int vcpu)
    {
        for (uint i = 1; i < _ports.Length; i++)
        {
            var port = new EvtchnPort(i);
            EventChannel channel = Find(port);
            if (channel.State != EvtchnStatusKind.Closed && channel.NotifyVcpu == vcpu && channel.Host is null && fifo.IsPending(port))
                _ = fifo.SetPending(port, channel);
        }
    }

    private XenErrno ExpandArrayLocked(Mfn frame)
    {
        if (_closed || Fifo is not { } fifo || !_gate.TryEnter())
            return XenErrno.EOPNOTSUPP;
        bool added = fifo.TryAddPage(frame, out uint first);
        for (uint i = first; added && i < Math.Min(first + FifoEvents.WordsPerPage, (uint)_ports.Length); i++)
        {
            var port = new EvtchnPort(i);
            EventChannel channel = Find(port);
            if (channel.State != EvtchnStatusKind.Closed && fifo.ClaimEarly(port))
                SetPending(port, channel);
        }

        _gate.Exit();
        return added ? XenErrno.OK : XenErrno.ENOSPC;
    }

    /// <summary>Back to two levels. The guest has no port any more. Returns the frames that are to be let go when the lock is not held.</summary>
    private IReadOnlyList<Mfn> LeaveFifo()
    {
        if (Fifo is not { } fifo)
            return [];
        _gate.Close();
        var twoLevel = new TwoLevelEvents(_domain!);
        twoLevel.ClearSelectors();
        Volatile.Write(ref _abi, twoLevel);
        _gate.Open();
        return fifo.Frames;
    }
}
