using System.Globalization;
using Xen.Abi;

namespace Xen.Rings;

/// <summary>The frontend's half of a shared ring: puts requests, takes responses.</summary>
/// <typeparam name="TRequest">A request as it lies in its slot, little-endian. May be shorter than the slot.</typeparam>
/// <typeparam name="TResponse">A response as it lies in its slot, likewise.</typeparam>
/// <remarks>
/// The barriers are explained at <see cref="BackRing{TRequest, TResponse}"/>. The backend is a peer like any other: responses to requests that
/// were never published close the ring (<see cref="Fault"/>). Threads: one may put and push while another takes, as long as who puts
/// tries again after something was taken; two may not do the same. <b>Source</b>: io/ring.h.
/// </remarks>
public sealed class FrontRing<TRequest, TResponse>
    where TRequest : unmanaged
    where TResponse : unmanaged
{
    private readonly RingMemory _memory;
    private uint _reqProd;
    private uint _reqPublished;
    private uint _rspCons;

    private FrontRing(RingMemory memory, uint start)
    {
        _memory = memory;
        _reqProd = _reqPublished = _rspCons = start;
    }

    /// <summary>Why the ring is closed for good, or null while it is sound.</summary>
    public string? Fault { get; private set; }

    /// <summary>The number of slots; a power of two.</summary>
    public int Size => (int)_memory.Size;

    /// <summary>How many requests there is room for; 0 when the ring is closed.</summary>
    public int Free => Fault is null ? (int)(_memory.Size - (_reqProd - Volatile.Read(ref _rspCons))) : 0;

    /// <summary>Requests that were put and have no response yet.</summary>
    public int Unanswered => (int)(_reqProd - _rspCons);

    /// <summary>Responses that are there to be taken; 0 when the ring is closed.</summary>
    public int UnconsumedResponses => (int)Unconsumed();

    /// <summary>RING_HAS_UNCONSUMED_RESPONSES.</summary>
    public bool HasUnconsumedResponses => Unconsumed() != 0;

    /// <summary>Makes an empty ring in pages of our own (SHARED_RING_INIT), before the backend is told of them.</summary>
    /// <param name="pages">The ring's pages; the ring uses them and does not own them.</param>
    /// <param name="slotSize">The slots' size where it is not the larger of the two structures'. <b>Units</b>: bytes.</param>
    public static FrontRing<TRequest, TResponse> Initialise(ISharedPages pages, int slotSize = 0)
    {
        RingMemory memory = RingMemory.Of<TRequest, TResponse>(pages, slotSize);
        memory.Initialise();
        return new FrontRing<TRequest, TResponse>(memory, 0);
    }

    /// <summary>Attaches to a ring on which nothing is under way, at the indices that it has (FRONT_RING_ATTACH). Nothing is written.</summary>
    /// <inheritdoc cref="Initialise"/>
    public static FrontRing<TRequest, TResponse> Attach(ISharedPages pages, int slotSize = 0)
    {
        RingMemory memory = RingMemory.Of<TRequest, TResponse>(pages, slotSize);
        FrontRing<TRequest, TResponse> ring = new(memory, memory.ReadIndex(RingLayout.ReqProd));
        ring.Unconsumed();
        return ring;
    }

    /// <summary>Puts a request. The backend does not see it before <see cref="Push"/>.</summary>
    /// <returns>False if the ring is full (RING_FULL) or closed.</returns>
    public bool TryPut(in TRequest request)
    {
        if (Free == 0)
            return false;
        _memory.WriteSlot(_reqProd, request);
        _reqProd++;
        return true;
    }

    /// <summary>Publishes the requests (RING_PUSH_REQUESTS_AND_CHECK_NOTIFY).</summary>
    /// <returns>True if the backend wants to be notified of them.</returns>
    public bool Push()
    {
        uint old = _reqPublished, now = _reqProd;
        if (now == old || Fault is not null)
            return false;

        // Ours first: who takes responses on another thread judges them by it.
        Volatile.Write(ref _reqPublished, now);
        _memory.PublishIndex(RingLayout.ReqProd, now);
        Interlocked.MemoryBarrier();
        return now - _memory.ReadIndex(RingLayout.ReqEvent) < now - old;
    }

    /// <summary>Takes the next response.</summary>
    /// <returns>False if there is none, or if the ring is closed.</returns>
    public bool TryTake(out TResponse response)
    {
        if (Unconsumed() == 0)
        {
            response = default;
            return false;
        }

        _memory.ReadSlot(_rspCons, out response);
        Volatile.Write(ref _rspCons, _rspCons + 1);
        return true;
    }

    /// <summary>
    /// To be called before sleeping: asks for an event at the next response, and looks once more
    /// (RING_FINAL_CHECK_FOR_RESPONSES).
    /// </summary>
    /// <returns>True if there is a response to take after all; do not sleep.</returns>
    public bool FinalCheckForResponses()
    {
        if (HasUnconsumedResponses)
            return true;
        if (Fault is not null)
            return false;
        _memory.PublishIndex(RingLayout.RspEvent, _rspCons + 1);
        Interlocked.MemoryBarrier();
        return HasUnconsumedResponses;
    }

    private uint Unconsumed()
    {
        if (Fault is not null)
            return 0;
        uint prod = _memory.ReadIndex(RingLayout.RspProd), cons = _rspCons, count = prod - cons;
        return count <= Volatile.Read(ref _reqPublished) - cons ? count : Break(prod);
    }

    private uint Break(uint prod)
    {
        Fault = string.Create(
            CultureInfo.InvariantCulture,
            $"backend's rsp_prod is {prod}, where {_reqPublished} requests were published and {_rspCons} responses taken");
        return 0;
    }
}
