using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>The frames that a domain owns: how many, how many it may have, and how they come and go. Guarded by <see cref="Domain.PagingLock"/>.</summary>
internal sealed class DomainMemory
{
    private readonly Domain _domain;
    private readonly FrameTable _frames;
    private readonly FrameList _owned;

    /// <summary>Frames without references, which wait for the flush that their freeing needs.</summary>
    private readonly FrameList _discarded;

    public DomainMemory(Domain domain)
    {
        _domain = domain;
        _frames = domain.Machine.Frames;
        _owned = new FrameList(_frames);
        _discarded = new FrameList(_frames);
    }

    /// <summary>Frames that the domain owns. Readable without the lock.</summary>
    public ulong TotalPages => _owned.Count;

    /// <summary>Frames that the domain may own at most.</summary>
    public ulong MaxPages { get; set; }

    public FrameList Owned => _owned;

    /// <summary>Gives the domain one more frame, zeroed. <b>Errors</b>: ENOMEM when the domain may have no more, or the machine has none.</summary>
    public XenErrno TryAllocate(out Mfn frame) => TryAllocateRun(0, out frame);

    /// <summary>Gives the domain 2^order frames that follow each other.</summary>
    /// <param name="order">How many, as a power of two.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="isExchange">As many others go: the limit does not matter.</param>
    public XenErrno TryAllocateRun(int order, out Mfn first, bool isExchange = false)
    {
        first = Mfn.Invalid;
        ulong size = 1ul << order;
        if ((!isExchange && TotalPages + size > MaxPages) || !_domain.Machine.Allocator.TryAllocateRun(order, out first))
            return XenErrno.ENOMEM;
        for (ulong i = 0; i < size; i++)
        {
            _frames.Assign(first + i, _domain.Id);
            _owned.Add(first + i);
        }

        return XenErrno.OK;
    }

    /// <summary>Takes a frame that now belongs to somebody else out of the domain.</summary>
    public void Remove(Mfn frame) => _owned.Remove(frame);

    /// <summary>Puts a frame that has become the domain's into it.</summary>
    public void Add(Mfn frame) => _owned.Add(frame);

    /// <summary>Takes a frame that lost its last reference out of the domain. It is freed by <see cref="FreeDiscarded"/>.</summary>
    public void Discard(Mfn frame)
    {
        _owned.Remove(frame);
        _discarded.Add(frame);
    }

    /// <summary>Frees what was discarded: no vCPU has a translation of it after one flush, its decoded code is void, its page goes back to the host.</summary>
    public void FreeDiscarded(Vcpu? actor)
    {
        if (_discarded.Count == 0)
            return;
        _domain.Flushes.FlushAll(actor);
        Mfn start = Mfn.Invalid;
        ulong count = 0;
        while (_discarded.Count != 0)
        {
            Mfn frame = _discarded.First;
            _discarded.Remove(frame);
            _frames.Forget(frame);
            _domain.Machine.Code.NoteWrite(frame);
            _domain.Machine.Memory.WriteM2p(frame, Pfn.Invalid.Value);
            if (count != 0 && frame == start + count)
            {
                count++;
                continue;
            }

            if (count != 0 && frame + 1 == start)
            {
                start = frame;
                count++;
                continue;
            }

            if (count != 0)
                _domain.Machine.Allocator.Free(start, count);
            start = frame;
            count = 1;
        }

        _domain.Machine.Allocator.Free(start, count);
    }
}
