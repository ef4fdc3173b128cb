using Xen.Drivers.Block.Protocol;
using Xen.Rings;

namespace Xen.Drivers.Block.Frontend;

/// <summary>A frontend's ring of requests, in either layout.</summary>
internal abstract class FrontendRing : BlkifRing
{
    /// <inheritdoc cref="FrontRing{TRequest, TResponse}.TryPut"/>
    public abstract bool TryPut(in BlkifRequest request);

    /// <inheritdoc cref="FrontRing{TRequest, TResponse}.TryTake"/>
    public abstract bool TryTake(out BlkifResponse response);

    /// <inheritdoc cref="FrontRing{TRequest, TResponse}.FinalCheckForResponses"/>
    public abstract bool FinalCheckForResponses();

    /// <summary>Makes an empty ring.</summary>
    public static FrontendRing Initialise(ISharedPages pages, bool is32Bit) => is32Bit
        ? new Layout<BlkifRequest32, BlkifResponse32>(pages)
        : new Layout<BlkifRequest, BlkifResponse>(pages);

    private sealed class Layout<TRequest, TResponse>(ISharedPages pages) : FrontendRing
        where TRequest : unmanaged, IBlkifRequestLayout<TRequest>
        where TResponse : unmanaged, IBlkifResponseLayout<TResponse>
    {
        private readonly FrontRing<TRequest, TResponse> _ring = FrontRing<TRequest, TResponse>.Initialise(pages);

        public override string? Fault => _ring.Fault;

        public override int Size => _ring.Size;

        public override bool TryPut(in BlkifRequest request) => _ring.TryPut(TRequest.FromNative(request));

        public override bool Push() => _ring.Push();

        public override bool TryTake(out BlkifResponse response)
        {
            bool taken = _ring.TryTake(out TResponse wire);
            response = wire.ToNative();
            return taken;
        }

        public override bool FinalCheckForResponses() => _ring.FinalCheckForResponses();
    }
}
