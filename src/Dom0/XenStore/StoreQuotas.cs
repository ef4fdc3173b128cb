namespace Xen.XenStore;

/// <summary>
/// What one unprivileged domain may use of the store. 0 means that nothing is checked. Privileged clients have no limits but those of the
/// protocol. <b>Source</b>: docs/misc/xenstore.txt, GET_QUOTA; the defaults are those of Xen's xenstored.
/// </summary>
public sealed record StoreQuotas
{
    /// <summary>The limits that a new store gives every domain.</summary>
    public static StoreQuotas Default { get; } = new();

    /// <summary>Nodes that the domain owns ("nodes"). <b>Errors</b>: ENOSPC.</summary>
    public int Nodes { get; init; } = 1000;

    /// <summary>Size of one node: value, names of children, 8 for each permission ("node-size"). <b>Units</b>: bytes. <b>Errors</b>: ENOSPC.</summary>
    public int NodeSize { get; init; } = 2048;

    /// <summary>Watches set ("watches"). <b>Errors</b>: E2BIG.</summary>
    public int Watches { get; init; } = 128;

    /// <summary>Transactions open at a time ("transactions"). <b>Errors</b>: ENOSPC.</summary>
    public int Transactions { get; init; } = 10;

    /// <summary>Different paths that one transaction may use ("transaction-nodes"). <b>Errors</b>: ENOSPC.</summary>
    public int TransactionNodes { get; init; } = 1024;

    /// <summary>Length of a path, not counted "/local/domain/N/" ("path-max"). <b>Units</b>: bytes. <b>Errors</b>: EINVAL.</summary>
    public int PathLength { get; init; } = 2048;

    /// <summary>Names in a path ("path-depth"). <b>Errors</b>: EINVAL.</summary>
    public int PathDepth { get; init; } = 64;

    /// <summary>Permissions set on one node ("permissions"). <b>Errors</b>: ENOSPC.</summary>
    public int Permissions { get; init; } = 5;

    /// <summary>Replies and events that wait for a client before its next request is taken ("outstanding"), at least 1. No error: the client waits.</summary>
    public int Outstanding { get; init; } = 20;

    /// <summary>
    /// Size of the events that wait for a client ("event-bytes"). Beyond it, a watch gets one event for its own path in place of all further ones.
    /// <b>Units</b>: bytes.
    /// </summary>
    public int EventBytes { get; init; } = 128 * 1024;

    /// <summary>The names by which requests and reports speak of the limits.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "nodes", "node-size", "watches", "transactions", "transaction-nodes", "path-max", "path-depth", "permissions", "outstanding", "event-bytes",
    ];

    /// <summary>A limit by its name, or null if there is none of that name.</summary>
    public int? this[string name] => name switch
    {
        "nodes" => Nodes,
        "node-size" => NodeSize,
        "watches" => Watches,
        "transactions" => Transactions,
        "transaction-nodes" => TransactionNodes,
        "path-max" => PathLength,
        "path-depth" => PathDepth,
        "permissions" => Permissions,
        "outstanding" => Outstanding,
        "event-bytes" => EventBytes,
        _ => null,
    };

    /// <summary>The same limits but for one.</summary>
    /// <exception cref="ArgumentException">There is no limit of that name.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public StoreQuotas With(string name, int value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        return name switch
        {
            "nodes" => this with { Nodes = value },
            "node-size" => this with { NodeSize = value },
            "watches" => this with { Watches = value },
            "transactions" => this with { Transactions = value },
            "transaction-nodes" => this with { TransactionNodes = value },
            "path-max" => this with { PathLength = value },
            "path-depth" => this with { PathDepth = value },
            "permissions" => this with { Permissions = value },
            "outstanding" => this with { Outstanding = value },
            "event-bytes" => this with { EventBytes = value },
            _ => throw new ArgumentException($"there is no quota '{name}'; there are: {string.Join(", ", Names)}.", nameof(name)),
        };
    }

    /// <summary>Whether a count is over a limit.</summary>
    internal static bool IsOver(int limit, long count) => limit != 0 && count > limit;
}
