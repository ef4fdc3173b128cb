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
    /// <exception cref="ToolstackException">It does not wait for domain 0, or no port is left.</exception>
    public static HostEventPort Bind(Domain domain, EvtchnPort remote)
    {
        var port = new HostEventPort(domain.Machine.Dom0Events);
        XenErrno error = port._table.BindInterdomainForHost(domain.Events, remote, port.OnNotify, out port._port);
        return error == XenErrno.OK
            ? port
            : throw new ToolstackException($"an event channel of domain '{domain.Name}' cannot be bound: {error}.");
    }

    public void Notify() => _ = _table.NotifyFromHost(_port);

    public void SetHandler(Action? handler) => Volatile.Write(ref _handler, handler);

    public void Dispose()
    {
        SetHandler(null);
        _ = _table.CloseFromHost(_port);
    }

    private void OnNotify() => Volatile.Read(ref _handler)?.Invoke();
}
