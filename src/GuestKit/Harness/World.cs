using Xen.Abi;

namespace Xen.GuestKit.Harness;

/// <summary>
/// Read this first: a world of domains without a hypervisor, in which both halves of a driver pair run in one unit test. Grants, event
/// channels and xenstore behave as Xen's where a driver can tell, and everything that a driver takes is counted:
/// <code>
/// using World world = new();
/// WorldDomain dom0 = world.Domain(0), guest = world.Domain(3);
/// world.Link(dom0, guest, "vbd", 51712);                     // the nodes that a toolstack writes
/// ... run the backend on dom0.Store, .Grants, .Events and the frontend on guest's ...
/// world.Store.WaitFor("/local/domain/0/backend/vbd/3/51712/state", "4", patience);
/// guest.Die();                                               // or disturb: guest.Grants.Revoke(reference), dom0.Grants.FailMap = ...
/// Assert.Empty(dom0.Held());                                 // no mapping, port or watch is left
/// </code>
/// </summary>
/// <remarks>Any thread. Worlds share nothing, so tests run beside each other. Handlers and watches are called on the thread pool.</remarks>
public sealed class World : IDisposable
{
    private readonly Dictionary<DomId, WorldDomain> _domains = [];

    public World() => Store = new WorldStore();

    /// <summary>The store's tree, as the test sees it.</summary>
    public WorldStore Store { get; }

    /// <summary>Guards every grant table and event channel of this world; nothing is called while it is held.</summary>
    internal Lock Lock { get; } = new();

    /// <summary>The domain of a number; made, with its folder in the store, when it is first asked for or has died.</summary>
    public WorldDomain Domain(ushort number)
    {
        DomId id = new(number);
        WorldDomain domain;
        lock (Lock)
        {
            if (_domains.TryGetValue(id, out WorldDomain? there) && there.IsAlive)
                return there;
            _domains[id] = domain = new WorldDomain(this, id);
        }

        Store.Write(domain.Path + "/domid", id.Value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Store.Fire("@introduceDomain");
        return domain;
    }

    /// <summary>Writes the nodes by which a toolstack introduces two ends of a device, both in state Initialising.</summary>
    /// <returns>The folders of the backend and of the frontend.</returns>
    public (string BackendPath, string FrontendPath) Link(WorldDomain backend, WorldDomain frontend, string type, int deviceId)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(frontend);
        string back = FormattableString.Invariant($"{backend.Path}/backend/{type}/{frontend.Id.Value}/{deviceId}");
        string front = FormattableString.Invariant($"{frontend.Path}/device/{type}/{deviceId}");
        Write(front, ("backend", back), ("backend-id", Number(backend.Id.Value)), ("handle", Number(deviceId)), ("state", "1"));
        Write(back, ("frontend", front), ("frontend-id", Number(frontend.Id.Value)), ("online", "1"), ("state", "1"));
        return (back, front);
    }

    /// <summary>What any domain still holds, one sentence each. <seealso cref="WorldDomain.Held"/></summary>
    public IReadOnlyList<string> Held()
    {
        WorldDomain[] domains;
        lock (Lock)
            domains = [.. _domains.Values];
        return [.. domains.SelectMany(d => d.Held())];
    }

    public void Dispose()
    {
        lock (Lock)
        {
            foreach (WorldDomain domain in _domains.Values)
                domain.Close();
        }

        Store.RemoveAllWatches();
    }

    internal WorldDomain? Find(DomId id) => _domains.TryGetValue(id, out WorldDomain? domain) && domain.IsAlive ? domain : null;

    private void Write(string folder, params ReadOnlySpan<(string Name, string Value)> nodes)
    {
        foreach ((string name, string value) in nodes)
            Store.Write(folder + "/" + name, value);
    }

    private static string Number(int value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
