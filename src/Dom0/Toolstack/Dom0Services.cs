using Xen.Abi;
using Xen.Core;
using Xen.Drivers.Net.Network;
using Xen.Rings;
using Xen.XenStore;

namespace Xen.Toolstack;

/// <summary>
/// Domain 0 of a machine: its xenstore, and the ports by which the backends reach other domains' memory and events. Read this first if you
/// look for where a device is served.
/// </summary>
internal sealed class Dom0Services : IDisposable
{
    private readonly Machine _machine;
    private readonly StoreServer _server;
    private readonly LocalStorePort _store;

    public Dom0Services(Machine machine, string? trunkFolder = null)
    {
        _machine = machine;
        _server = new StoreServer();
        _server.QuotaExceeded += (domain, quota) => machine.Log.WriteGuest(domain, $"xenstore: quota {quota} is used up");
        _server.ConnectionBroken += (domain, reason) => machine.Log.WriteGuest(domain, $"xenstore: {reason}");
        _store = _server.OpenPort(DomId.Dom0);
        Grants = new MachineGrantPort(machine);
        Events = new MachineEventPorts(machine);
        Networks = new Networks { TrunkFolder = trunkFolder };
        _ = DomainNodes.WriteDom0(_store);
    }

    /// <summary>xenstore, as domain 0 sees it.</summary>
    public IStorePort Store => _store;

    /// <summary>Pages that domains have granted to domain 0.</summary>
    public IGrantPort Grants { get; }

    /// <summary>Domain 0's event channels.</summary>
    public IEventPorts Events { get; }


    /// <summary>The networks that interfaces can be on.</summary>
    public Networks Networks { get; }

    /// <summary>Says something about a domain to the operator; no more often than a guest may make the machine speak.</summary>
    public void LogGuest(DomId domain, string line) => _machine.Log.WriteGuest(domain, line);

    /// <summary>Connects a new domain's ring to xenstore; page and port are the store's from now on.</summary>
    public XenErrno Introduce(DomId domain, ISharedPage page, IEventPort events) => _server.IntroduceDomain(domain, page, events);

    /// <summary>A domain has shut down: who waits for that is told.</summary>
    public void NotifyShutdown(DomId domain) => _ = _server.NotifyShutdown(domain);

    /// <summary>A domain is gone: its ring is let go of.</summary>
    public void Release(DomId domain) => _ = _server.ReleaseDomain(domain);

    /// <summary>Offers xenstore on a Unix socket to whoever may open it.</summary>
    /// <exception cref="ToolstackException">The socket cannot be made, or another xenstore has it.</exception>
    public IDisposable Listen(string path)
    {
        try
        {
            return new StoreSocketServer(_server, path);
        }
        catch (IOException fault)
        {
            throw new ToolstackException($"xenstore's socket {path} cannot be made: {fault.Message}", fault);
        }
    }

    public void Dispose()
    {
        _store.Dispose();
        _server.Dispose();
    }
}
