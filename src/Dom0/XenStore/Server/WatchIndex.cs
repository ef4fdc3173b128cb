namespace Xen.XenStore;

/// <summary>All watches, by what they watch. A change asks for its own path and each of its ancestors, however many watches there are.</summary>
/// <remarks>Guarded by the server's lock.</remarks>
internal sealed class WatchIndex
{
    private readonly Dictionary<string, List<StoreWatch>> _byPath = [];

    public int Count { get; private set; }

    public IReadOnlyList<StoreWatch> On(ReadOnlySpan<char> path) =>
        _byPath.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(path, out List<StoreWatch>? watches) ? watches : [];

    public StoreWatch? Find(StoreClient client, string path, string token)
    {
        foreach (StoreWatch watch in On(path))
        {
            if (watch.Client == client && watch.Token == token)
                return watch;
        }

        return null;
    }

    public void Add(StoreWatch watch)
    {
        if (!_byPath.TryGetValue(watch.Path, out List<StoreWatch>? watches))
            _byPath.Add(watch.Path, watches = []);
        watches.Add(watch);
        Count++;
    }

    public void Remove(StoreWatch watch)
    {
        if (!_byPath.TryGetValue(watch.Path, out List<StoreWatch>? watches) || !watches.Remove(watch))
            return;
        Count--;
        if (watches.Count == 0)
            _byPath.Remove(watch.Path);
    }
}
