using Xen.Contract;

namespace Xen.Service;

/// <summary>What xend was told when it was started.</summary>
/// <param name="Paths">Where its files are.</param>
internal sealed record XendOptions(XenPaths Paths)
{
    /// <summary>Guest memory, all domains together. <b>Units</b>: MiB.</summary>
    public required int MemoryMiB { get; init; }

    /// <summary>Ends by itself when there has been no domain and no client for so long; null: never.</summary>
    public TimeSpan? IdleExit { get; init; }

    /// <summary>Domains that shall start with xend do so now; else when the first is created.</summary>
    public bool StartsDomains { get; init; } = true;

    /// <summary>The group whose members may do everything, over the Unix socket; null: the user who runs xend and root alone may.</summary>
    public UnixGroup? SocketGroup { get; init; }

    /// <summary>The group whose members may read, over the Unix socket.</summary>
    public UnixGroup? ReadersGroup { get; init; }

    /// <summary>Where TCP clients with certificates are listened for, and with which certificate; null: nowhere.</summary>
    public TlsOptions? Tls { get; init; }

    /// <summary>Where Prometheus metrics are offered; null: nowhere.</summary>
    public System.Net.IPEndPoint? Metrics { get; init; }

    /// <summary>Memory for guests unless told otherwise: what the host has free, but for an eighth. <b>Units</b>: MiB.</summary>
    public static int PresetMemoryMiB
    {
        get
        {
            long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20;
            return (int)Math.Clamp(available - (available / 8), 256, 1 << 20);
        }
    }
}
