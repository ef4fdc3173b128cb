using Xen.Rings;

namespace Xen.Drivers.Block.Protocol;

/// <summary>Either half of a ring of requests: what does not depend on the layout of the frontend.</summary>
internal abstract class BlkifRing
{
    /// <inheritdoc cref="BackRing{TRequest, TResponse}.Fault"/>
    public abstract string? Fault { get; }

    /// <inheritdoc cref="BackRing{TRequest, TResponse}.Size"/>
    public abstract int Size { get; }

    /// <summary>Publishes what was put.</summary>
    /// <returns>True if the peer wants to be notified of it.</returns>
    public abstract bool Push();
}
