using Xen.Abi;

namespace Xen.Core;

/// <summary>Who polls event channels.</summary>
public sealed partial class Domain
{
    /// <summary>Wakes the vCPUs that poll this port (SCHEDOP_poll). Call it after the port's pending bit went from 0 to 1, masked or not. Any thread.</summary>
    internal void WakePollers(EvtchnPort port)
    {
        foreach (Vcpu vcpu in _vcpus)
        {
            int polled = vcpu.PollPort;
            if (polled != Vcpu.NotPolling && (polled == Vcpu.PollsSeveral || polled == (int)port.Value))
                vcpu.Wake();
        }
    }
}
