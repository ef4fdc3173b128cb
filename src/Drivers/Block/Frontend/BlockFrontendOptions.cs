namespace Xen.Drivers.Block.Frontend;

/// <summary>Which of the protocol's features a frontend uses, where the backend offers them.</summary>
public sealed record BlockFrontendOptions
{
    /// <summary>Rings in the layout of 32-bit guests.</summary>
    public bool Is32Bit { get; init; }

    /// <summary>How many rings.</summary>
    public int Queues { get; init; } = 1;

    /// <summary>Rings of 2 to the power of this many pages.</summary>
    public int RingPageOrder { get; init; }

    /// <summary>Publish the rings' size in the older node, num-ring-pages.</summary>
    public bool NumRingPages { get; init; }

    /// <summary>Use the same grants again and again.</summary>
    public bool Persistent { get; init; } = true;

    /// <summary>Most segments of a request; more than 11 make indirect ones.</summary>
    public int MaxSegments { get; init; } = 32;
}

/// <summary>What a connected device is like, as its backend described it. <b>Source</b>: io/blkif.h, "Backend Device Properties".</summary>
/// <param name="Sectors">The size. <b>Units</b>: sectors of 512 bytes.</param>
/// <param name="SectorSize">The smallest part that can be read and written. <b>Units</b>: bytes.</param>
/// <param name="Info">What kind of device it is.</param>
/// <param name="Flush">Flushes and barriers are there.</param>
/// <param name="Discard">Discards are there.</param>
/// <param name="MaxSegments">Most segments of a request.</param>
public readonly record struct BlockProperties(long Sectors, int SectorSize, Protocol.VdiskInfo Info, bool Flush, bool Discard, int MaxSegments);
