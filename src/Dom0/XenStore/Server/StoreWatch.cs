namespace Xen.XenStore;

/// <summary>A client's watch on a path and all below it.</summary>
/// <param name="client">Who hears.</param>
/// <param name="path">What is watched: absolute, or special.</param>
/// <param name="given">The path as the client wrote it.</param>
/// <param name="token">What the client calls the watch.</param>
/// <param name="depth">How many levels below the path count; null for all.</param>
internal sealed class StoreWatch(StoreClient client, string path, string given, string token, int? depth)
{
    public StoreClient Client { get; } = client;

    public string Path { get; } = path;

    public string Given { get; } = given;

    public string Token { get; } = token;

    public int? Depth { get; } = depth;

    /// <summary>For watches set by <see cref="LocalStorePort"/>: whom to call.</summary>
    public Action<string>? Handler { get; init; }

    /// <summary>Whether events still go out. Set under the server's lock, read anywhere.</summary>
    public bool IsSet { get; set; } = true;

    /// <summary>A changed path as the client sees it: relative if the watch is.</summary>
    public string NameOf(string changed) => changed[(Path.Length - Given.Length)..];

    /// <summary>Whether a path at or below the watched one is near enough.</summary>
    public bool Reaches(ReadOnlySpan<char> changed) =>
        Depth is not { } depth || changed.Length == Path.Length
        || (Path.Length == 1 ? changed.Count('/') : changed[Path.Length..].Count('/')) <= depth;
}
