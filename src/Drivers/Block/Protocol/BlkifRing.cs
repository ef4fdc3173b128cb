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

    /// <summary>Makes a half in a frontend's layout: the one place where a layout is chosen.</summary>
    protected static TRing Make<TRing, TMaker>(ISharedPages pages, bool is32Bit)
        where TMaker : IMaker<TRing> => is32Bit
        ? TMaker.Make<BlkifRequest32, BlkifResponse32>(pages)
        : TMaker.Make<BlkifRequest, BlkifResponse>(pages);

    /// <summary>Makes a half in any layout.</summary>
    protected interface IMaker<TRing>
    {
        static abstract TRing Make<TRequest, TResponse>(ISharedPages pages)
            where TRequest : unmanaged, IBlkifRequestLayout<TRequest>
            where TResponse : unmanaged, IBlkifResponseLayout<TResponse>;
    }
}
