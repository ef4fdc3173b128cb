namespace Xen.Core;

/// <summary>The domain's I/O ports.</summary>
public sealed partial class Domain
{
    /// <summary>What its vCPUs find behind I/O ports.</summary>
    internal IoPorts IoPorts { get; }
}
