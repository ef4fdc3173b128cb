using Xen.Abi;
using Xen.Core;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>Domain 0's event channels, for backends in this process.</summary>
public sealed class MachineEventPorts(Machine machine) : IEventPorts
{
    /// <inheritdoc/>
    /// <remarks><b>Errors</b>: ESRCH: no such domain. EINVAL: the port does not wait for domain 0. ENOSPC: no port is left.</remarks>
    public XenErrno BindInterdomain(DomId remote, EvtchnPort remotePort, out IEventPort? port)
    {
        port = null;
        if (machine.FindEvents(remote) is not { } events)
            return XenErrno.ESRCH;
        XenErrno error = HostEventPort.Bind(machine, events, remotePort, out HostEventPort? end);
        port = end;
        return error;
    }
}
