using System.Globalization;
using Xen.Abi;

namespace Xen.Rings;

/// <summary>
/// The backend's half of a shared ring: takes requests, puts responses. A response takes the slot of a request that was taken before it,
/// not necessarily its own: requests may be answered in any order, and each exactly once.
/// </summary>
/// <typeparam name="TRequest">A request as it lies in its slot, little-endian. May be shorter than the slot.</typeparam>
/// <typeparam name="TResponse">A response as it lies in its slot, likewise.</typeparam>
/// <remarks>
/// <para>
/// The barriers, once for both halves. The producer writes slots, then publishes its index (release); the consumer reads the index
/// (acquire), then the slots: it never sees a slot that is not filled. A slot is copied out before its response can be published,
/// so the frontend, which reuses it only after that, never overwrites what is still needed.
/// </para>
/// <para>
/// No wake-up is lost, and few are sent. A consumer that found nothing publishes the producer index that shall wake it (req_event for the
/// backend), then reads the producer's index once more. A producer publishes its index, then reads the event index, and notifies if
/// that lies in what it has just published. Between its write and its read each side has a full barrier: of two sides that do this
/// at once at least one sees the other's write. So either the consumer finds the request in its second look, or the producer notifies.
/// Without the full barrier both reads could be served before both writes, and both sides would sleep.
/// </para>
/// <para>
/// The peer owns the page as we do: its index is read once per operation and judged on the copy; our own are kept here and never read back.
/// An index that cannot be has broken the ring: <see cref="Fault"/> says how, and nothing more is taken or published.
/// </para>
/// <para>
/// Threads: one may take while another puts and pushes; two may not do the same. <b>Source</b>: io/ring.h.
/// </para>
/// </remarks>
public sealed class BackRing<TRequest, TResponse>
    where TRequest : unmanaged
    where TResponse : unmanaged
{
    private readonly RingMemory _memory;
    private uint _reqCons;
    private uint _rspProd;
    private uint _rspPublished;

    private BackRing(RingMemory memory, uint start)
    {
        _memory = memory;
        _reqCons = _rspProd = _rspPublished = start;
    }

    /// <summary>Why the ring is closed for good, or null while it is sound.</summary>
    public string? Fault { get; private set; }

    /// <summary>The number of slots; a power of two.</summary>
    public int Size => (int)_memory.Size;

    /// <summary>Requests that were taken and have no response yet.</summary>
    public int Unanswered => (int)(_reqCons - _rspProd);

    /// <summary>Requests that are there to be taken; 0 when the ring is closed.</summary>
    public int UnconsumedRequests => (int)Unconsumed();

    /// <summary>Whether the frontend has no place for another request before a response is published.</summary>
    public bool IsFull => (int)(_reqCons - _rspPublished) + UnconsumedRequests == Size;

    /// <summary>RING_HAS_UNCONSUMED_REQUESTS.</summary>
    public bool HasUnconsumedRequests => Unconsumed() != 0;

    /// <summary>
    /// Attaches to a ring as the frontend left it: what an earlier backend answered is not answered again, what it did not answer is taken
    /// again. Nothing is written. There may be requests before the first event.
    /// </summary>
    /// <param name="pages">The ring's pages; the ring uses them and does not own them.</param>
    /// <param name="slotSize">The slots' size where it is not the larger of the two structures'. <b>Units</b>: bytes.</param>
    /// <returns>The ring; its <see cref="Fault"/> is set if the indices in the page cannot be.</returns>
    public static BackRing<TRequest, TResponse> Attach(ISharedPages pages, int slotSize = 0)
    {
        RingMemory memory = RingMemory.Of<TRequest, TResponse>(pages, slotSize);
        BackRing<TRequest, TResponse> ring = new(memory, memory.ReadIndex(RingLayout.RspProd));
        ring.Unconsumed();
        return ring;
    }

    /// <summary>Takes the next request.</summary>
    /// <returns>False if there is none, or if the ring is closed.</returns>
    public bool TryTake(out TRequest request)
    {
        if (Unconsumed() == 0)
        {
            request = default;
            return false;
        }

        _memory.ReadSlot(_reqCons, out request);
        _reqCons++;
        return true;
    }

    /// <summary>
    /// To be called before sleeping: asks for an event at the next request, and looks once more
    /// (RING_FINAL_CHECK_FOR_REQUESTS).
    /// </summary>
    /// <returns>True if there is a request to take after all; do not sleep.</returns>
    public bool FinalCheckForRequests()
    {
        if (HasUnconsumedRequests)
            return true;
        if (Fault is not null)
            return false;
        _memory.PublishIndex(RingLayout.ReqEvent, _reqCons + 1);
        Interlocked.MemoryBarrier();
        return HasUnconsumedRequests;
    }

    /// <summary>Puts the response to one of the requests that were taken. The frontend does not see it before <see cref="Push"/>.</summary>
    /// <exception cref="InvalidOperationException">All requests that were taken have been answered: a fault of the caller.</exception>
    public void PutResponse(in TResponse response)
    {
        if (_rspProd == _reqCons)
            throw new InvalidOperationException("a response without a request");
        if (Fault is null)
            _memory.WriteSlot(_rspProd, response);
        _rspProd++;
    }

    /// <summary>Publishes the responses (RING_PUSH_RESPONSES_AND_CHECK_NOTIFY).</summary>
    /// <returns>True if the frontend wants to be notified of them.</returns>
    public bool Push()
    {
        uint old = _rspPublished, now = _rspProd;
        if (now == old || Fault is not null)
            return false;
        _memory.PublishIndex(RingLayout.RspProd, now);
        _rspPublished = now;
        Interlocked.MemoryBarrier();
        return now - _memory.ReadIndex(RingLayout.RspEvent) < now - old;
    }

    /// <summary>
    /// How many requests lie unconsumed. Our indices are read after the peer's: it can only have reused slots whose responses it has seen,
    /// and so we see at least as far as it did, on whichever thread the responses were put.
    /// </summary>
    private uint Unconsumed()
    {
        if (Fault is not null)
            return 0;
        uint prod = _memory.ReadIndex(RingLayout.ReqProd), cons = _reqCons, count = prod - cons;
        return count <= _memory.Size - (cons - _rspProd) ? count : Break(prod);
    }

    private uint Break(uint prod)
    {
        Fault = string.Create(
            CultureInfo.InvariantCulture,
            $"frontend's req_prod is {prod}, where {_reqCons} requests were taken and {_rspProd} answered in a ring of {Size} slots");
        return 0;
    }
}
