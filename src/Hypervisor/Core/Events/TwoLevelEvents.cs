using Xen.Abi;

namespace Xen.Core;

/// <summary>The two-level ABI: a pending and a mask bit per port in shared_info, and in each vCPU's vcpu_info a selector of the words to look at.</summary>
internal sealed class TwoLevelEvents(Domain domain) : IEventAbi
{
    private readonly EventBits _bits = new(domain.Machine.Memory, domain.SharedInfoFrame);

    /// <inheritdoc/>
    public int PortCount => EventBits.PortCount;

    /// <inheritdoc/>
    public bool SetPending(EvtchnPort port, EventChannel channel)
    {
        if (_bits.TestAndSetPending(port))
            return false;
        if (!_bits.IsMasked(port))
            Tell(port, channel);
        return true;
    }

    /// <inheritdoc/>
    public bool ClearPending(EvtchnPort port) => _bits.TestAndClearPending(port);

    /// <inheritdoc/>
    public void Unmask(EvtchnPort port, EventChannel channel)
    {
        if (_bits.TestAndClearMask(port) && _bits.IsPending(port))
            Tell(port, channel);
    }

    /// <inheritdoc/>
    public bool IsPending(EvtchnPort port) => port.Value < EventBits.PortCount && _bits.IsPending(port);

    /// <inheritdoc/>
    public bool IsBusy(EvtchnPort port) => false;

    /// <summary>No port is open and nobody sends: what the selectors still say would keep the next event from being told.</summary>
    public void ClearSelectors()
    {
        foreach (Vcpu vcpu in domain.Vcpus)
            vcpu.Info.ClearSelector();
    }

    private void Tell(EvtchnPort port, EventChannel channel)
    {
        Vcpu vcpu = domain.Vcpus[channel.NotifyVcpu];
        if (!vcpu.Info.TestAndSetSelector(EventBits.WordOf(port)) && !vcpu.Info.TestAndSetUpcallPending())
            vcpu.Wake();
    }
}
