using Xen.Abi;
using Xen.Drivers.Block.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Block.Backend;

/// <summary>One ring of a device with its event channel, its slab of requests and the pages that stay mapped for it.</summary>
internal sealed class BlockQueue : IDisposable
{
    private readonly GrantedPages _pages;

    private BlockQueue(GrantedPages pages, BlockRing ring, IEventPort channel, PersistentGrants? persistent)
    {
        _pages = pages;
        Ring = ring;
        Channel = channel;
        Persistent = persistent;
        Free = new Stack<PendingRequest>(ring.Size);
        for (int i = 0; i < ring.Size; i++)
            Free.Push(new PendingRequest(this));
    }

    /// <summary>The ring; guarded by the engine's lock.</summary>
    public BlockRing Ring { get; }

    public IEventPort Channel { get; }

    /// <summary>The pages that stay mapped, or null if the frontend does not do that.</summary>
    public PersistentGrants? Persistent { get; }

    /// <summary>The requests that are not under way; guarded by the engine's lock. Never empty when the ring has a request to take.</summary>
    public Stack<PendingRequest> Free { get; }

    /// <summary>Maps a ring and binds its channel.</summary>
    /// <returns>Null, or one sentence that says why not; then nothing is held.</returns>
    public static string? Open(
        XenbusBackendContext context, QueueParameters parameters, bool is32Bit, int persistentGrants, out BlockQueue? queue)
    {
        queue = null;
        GrantStatus status = GrantedPages.TryMap(
            context.Grants, context.Frontend, parameters.RingRefs, readOnly: false, out GrantedPages? pages, out int failed);
        if (pages is null)
            return $"frontend's {parameters.RingRefNames[failed]} ({parameters.RingRefs[failed]}) cannot be mapped: {status}";
        BlockRing ring = BlockRing.Attach(pages, is32Bit);
        if (ring.Fault is not null)
        {
            pages.Dispose();
            return $"ring of {parameters.RingRefNames[0]}: {ring.Fault}";
        }

        XenErrno errno = context.Events.BindInterdomain(context.Frontend, parameters.EventChannel, out IEventPort? channel);
        if (channel is null)
        {
            pages.Dispose();
            return $"frontend's {parameters.EventChannelName} ({parameters.EventChannel}) cannot be bound: {errno}";
        }

        PersistentGrants? persistent = persistentGrants > 0
            ? new PersistentGrants(context.Grants, context.Frontend, persistentGrants)
            : null;
        queue = new BlockQueue(pages, ring, channel, persistent);
        return null;
    }

    /// <summary>Gives everything back; no request is under way.</summary>
    public void Dispose()
    {
        Channel.Dispose();
        Persistent?.Clear();
        _pages.Dispose();
    }
}
