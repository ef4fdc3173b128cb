using Xen.Drivers.Block.Protocol;
using Xen.Rings;

namespace Xen.Drivers.Block.Backend;

/// <summary>A ring of requests, whatever the layout of its frontend.</summary>
internal abstract class BlockRing : BlkifRing
{
    /// <inheritdoc cref="BackRing{TRequest, TResponse}.TryTake"/>
    public abstract bool TryTake(out BlkifRequest request);

    /// <inheritdoc cref="BackRing{TRequest, TResponse}.IsFull"/>
    public abstract bool IsFull { get; }

    /// <inheritdoc cref="BackRing{TRequest, TResponse}.FinalCheckForRequests"/>
    public abstract bool FinalCheckForRequests();

    /// <inheritdoc cref="BackRing{TRequest, TResponse}.PutResponse"/>
    public abstract void Put(in BlkifResponse response);

    /// <summary>Attaches to a ring in a frontend's layout.</summary>
    public static BlockRing Attach(ISharedPages pages, bool is32Bit) => is32Bit
        ? new Layout<BlkifRequest32, BlkifResponse32>(pages)
        : new Layout<BlkifRequest, BlkifResponse>(pages);

    private sealed class Layout<TRequest, TResponse>(ISharedPages pages) : BlockRing
        where TRequest : unmanaged, IBlkifRequestLayout<TRequest>
        where TResponse : unmanaged, IBlkifResponseLayout<TResponse>
    {
        private readonly BackRing<TRequest, TResponse> _ring = BackRing<TRequest, TResponse>.Attach(pages);

        public override string? Fault => _ring.Fault;

        public override int Size => _ring.Size;

        public override bool TryTake(out BlkifRequest request)
        {
            bool taken = _ring.TryTake(out TRequest wire);
            request = wire.ToNative();
            return taken;
        }

        public override bool IsFull => _ring.IsFull;

        public override bool FinalCheckForRequests() => _ring.FinalCheckForRequests();

        public override void Put(in BlkifResponse response) => _ring.PutResponse(TResponse.FromNative(response));

        public override bool Push() => _ring.Push();
    }
}
