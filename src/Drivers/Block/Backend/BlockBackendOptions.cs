namespace Xen.Drivers.Block.Backend;

/// <summary>How a block backend serves one device.</summary>
public sealed record BlockBackendOptions
{
    /// <summary>The device is a CD-ROM; the storage is to be read-only.</summary>
    public bool Cdrom { get; init; }

    /// <summary>The medium can be taken out.</summary>
    public bool Removable { get; init; }

    /// <summary>Offer discard where the storage has it; the node "discard-enable" of the toolstack can forbid it, too.</summary>
    public bool Discard { get; init; } = true;

    /// <summary>Offer persistent grants.</summary>
    public bool PersistentGrants { get; init; } = true;

    /// <summary>Most persistent grants of one queue.</summary>
    public int MaxPersistentGrants { get; init; } = 1056;

    /// <summary>Most segments of an indirect request, to 256; 0 offers none.</summary>
    public int MaxIndirectSegments { get; init; } = 256;

    /// <summary>Largest ring: 2 to the power of this many pages; to 4.</summary>
    public int MaxRingPageOrder { get; init; } = 4;

    /// <summary>Most queues.</summary>
    public int MaxQueues { get; init; } = 4;

    /// <summary>Threads that do I/O for the device: so many requests are under way at once.</summary>
    public int Workers { get; init; } = 4;

    /// <summary>The device closes when so many more of its requests were malformed than an eighth of those that were not.</summary>
    public int MaxBadRequests { get; init; } = 256;

    /// <summary>How often to look whether the storage has grown; infinite for only when told (<see cref="BlockBackend.Refresh"/>).</summary>
    public TimeSpan SizeCheck { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a device that closes waits for requests under way, before the storage is given up (<see cref="Storage.IBlockStorage.Abort"/>).</summary>
    public TimeSpan StopPatience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Told about what an operator should know, in one sentence; never more than a few times a second. Any thread.</summary>
    public Action<string>? Log { get; init; }
}
