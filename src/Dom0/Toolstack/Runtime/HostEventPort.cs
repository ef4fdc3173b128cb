using Xen.Abi;
using Xen.Core;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>Domain 0's end of an event channel to a domain.</summary>
internal sealed class HostEventPort : IEventPort
{
    private readonly EventChannelTable _table;
    private Action? _handler;
    private EvtchnPort _port;

    private HostEventPort(EventChannelTable table) => _table = table;

    /// <summary>Binds to a port that a domain has allocated for domain 0.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="remote">The domain's ports.</param>
    /// <param name="remotePort">The port.</param>
    /// <param name="port">Our end, or null.</param>
    /// <returns>EINVAL: it does not wait for domain 0. ENOSPC: no port is left.</returns>
    public static XenErrno Bind(Machine machine, EventChannelTable remote, EvtchnPort remotePort, out HostEventPort? port)
    {
        var end = new HostEventPort(machine.Dom0Events);
        XenErrno error = end._table.BindInterdomainForHost(remote, remotePort, end.OnNotify, out end._port);
        port = error == XenErrno.OK ? end : null;
        return error;
    }

    public void Notify() => _ = _table.NotifyFromHost(_port);

    public void SetHandler(Action? handler)
    {
        Volatile.Write(ref _handler, handler);

        // What came before there was a handler is told now.
        handler?.Invoke();
    }

    public void Dispose()
    {
        SetHandler(null);
        _ = _table.CloseFromHost(_port);
    }

    private void OnNotify() => Volatile.Read(ref _handler)?.Invoke();
}
