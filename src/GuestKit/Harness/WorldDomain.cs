using System.Globalization;
using Xen.Abi;
using Xen.Rings;

namespace Xen.GuestKit.Harness;

/// <summary>One domain of a <see cref="World"/>: the ports that a driver half gets, backend or frontend, and the ways to disturb it.</summary>
public sealed class WorldDomain
{
    private readonly World _world;

    internal WorldDomain(World world, DomId id)
    {
        _world = world;
        Id = id;
        Path = "/local/domain/" + id.Value.ToString(CultureInfo.InvariantCulture);
        Grants = new WorldGrants(world, id);
        Events = new WorldEvents(world, id);
        Store = new WorldStoreConnection(world.Store, id, Path);
    }

    public DomId Id { get; }

    /// <summary>The domain's folder in the store.</summary>
    public string Path { get; }

    /// <summary>Uses others' pages and grants its own.</summary>
    public WorldGrants Grants { get; }

    /// <summary>Binds to others' ports and allocates its own.</summary>
    public WorldEvents Events { get; }

    /// <summary>The domain's connection to the store.</summary>
    public WorldStoreConnection Store { get; }

    public bool IsAlive { get; private set; } = true;

    /// <summary>
    /// The domain dies: its ports close, its grants can no longer be mapped (who has a page mapped keeps it), its watches end; then its folder
    /// goes from the store, as a toolstack removes it, and @releaseDomain fires.
    /// </summary>
    public void Die()
    {
        lock (_world.Lock)
        {
            if (!IsAlive)
                return;
            Close();
        }

        Store.RemoveWatches();
        _world.Store.Remove(Path);
        _world.Store.Fire("@releaseDomain");
    }

    /// <summary>What the domain still holds: mappings, grants, ports, watches; one sentence each. Empty is what a test wants after a close.</summary>
    public IReadOnlyList<string> Held() => [.. Grants.Held(), .. Events.Held(), .. Store.Held()];

    /// <summary>Ends ports and grants. The world's lock is held.</summary>
    internal void Close()
    {
        IsAlive = false;
        Events.CloseAll();
        Grants.RevokeAll();
    }
}
