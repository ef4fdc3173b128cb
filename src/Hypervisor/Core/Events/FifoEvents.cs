using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// The FIFO ABI: an event word per port, and per vCPU sixteen queues of ports by priority, linked through the words. Other files: the guest's
/// pages (Setup).
/// <code>
///  ready  ..0000 1000 0000          word 5              word 9              word 2
///  head[7] = 5  ------------------> P.L. link=9 ------> P.L. link=2 ------> P.L. link=0     tail (ours) = 2
/// </code>
/// </summary>
/// <remarks>
/// The words are changed by compare-and-swap, by guest and hypervisor alike. We read of them the four flags and never the link: where a queue ends we know
/// ourselves, so links out of range and rings of links lead nobody but the guest astray. A port that is pending already, masked or linked costs its sender one
/// atomic operation; only linking takes the queue's lock. A queue that a port has moved away from (another vCPU, another priority) is drained by the guest when it
/// gets to it: a linked port stays where it is, and goes to its new queue with its next event.
/// <b>Source</b>: event_channel.h, "FIFO ABI".
/// </remarks>
internal sealed partial class FifoEvents : IEventAbi
{
    /// <summary>Event words of a page.</summary>
    public const int WordsPerPage = Page.Size / FifoEventWord.Size;

    /// <summary>Most pages of the event array.</summary>
    public const int MostPages = FifoEventLimits.NrChannels / WordsPerPage;

    /// <summary>
    /// How often linking is tried against a tail word that changes. While the word is busy a guest may set MASKED and clear PENDING and LINKED, and senders may
    /// set PENDING: a handful. A guest that does more breaks the protocol.
    /// </summary>
    private const int MostLinkAttempts = 64;

    private readonly MachineMemory _memory;
    private readonly CodeMap _code;
    private readonly FifoVcpu[] _vcpus;
    private readonly FifoPage?[] _pages = new FifoPage?[MostPages];

    /// <summary>Events of ports whose page does not exist yet, a bit each.</summary>
    private readonly ulong[] _early;

    private long _protocolFaults;

    /// <param name="domain">Whose.</param>
    /// <param name="highestPort">The highest port that the domain may have.</param>
    public FifoEvents(Domain domain, int highestPort)
    {
        _memory = domain.Machine.Memory;
        _code = domain.Machine.Code;
        _vcpus = [.. domain.Vcpus.Select(static vcpu => new FifoVcpu(vcpu))];
        _early = new ulong[(Math.Min(highestPort, FifoEventLimits.NrChannels - 1) / 64) + 1];
    }

    /// <inheritdoc/>
    public int PortCount => FifoEventLimits.NrChannels;

    /// <summary>How often the guest kept a tail word changing until we gave up: the events of that port were lost to it.</summary>
    public long ProtocolFaults => Volatile.Read(ref _protocolFaults);

    /// <inheritdoc/>
    public bool SetPending(EvtchnPort port, EventChannel channel)
    {
        FifoPage? page = FindPage(port);
        if (page is null)
            return SetEarly(port, channel);
        uint before = Interlocked.Or(ref Word(page, port), FifoEventWord.Pending);

        // Linked: the guest unlinks before it looks at PENDING, so it sees the event. Masked: it asks for an unmask when it finds one.
        if ((before & (FifoEventWord.Masked | FifoEventWord.Linked)) == 0)
            Link(page, port, channel);
        return (before & FifoEventWord.Pending) == 0;
    }

    /// <inheritdoc/>
    public bool ClearPending(EvtchnPort port)
    {
        bool wasEarly = TakeEarly(port);
        return FindPage(port) is { } page
            ? wasEarly | (Interlocked.And(ref Word(page, port), ~FifoEventWord.Pending) & FifoEventWord.Pending) != 0
            : wasEarly;
    }

    /// <inheritdoc/>
    public void Unmask(EvtchnPort port, EventChannel channel)
    {
        if (FindPage(port) is not { } page)
            return;
        uint before = Interlocked.And(ref Word(page, port), ~FifoEventWord.Masked);
        if ((before & (FifoEventWord.Pending | FifoEventWord.Linked)) == FifoEventWord.Pending)
            Link(page, port, channel);
    }

    /// <inheritdoc/>
    public bool IsPending(EvtchnPort port) => FindPage(port) is { } page
        ? (Volatile.Read(ref Word(page, port)) & FifoEventWord.Pending) != 0
        : port.Value / 64 < (uint)_early.Length && (Volatile.Read(ref _early[port.Value / 64]) & EarlyBit(port)) != 0;

    /// <inheritdoc/>
    public bool IsBusy(EvtchnPort port) =>
        FindPage(port) is { } page && (Volatile.Read(ref Word(page, port)) & FifoEventWord.Linked) != 0;

    /// <summary>Puts a pending port at the end of its queue, unless somebody has done so, and tells the vCPU if the queue was empty.</summary>
    private void Link(FifoPage page, EvtchnPort port, EventChannel channel)
    {
        FifoVcpu target = _vcpus[channel.NotifyVcpu];
        ref ushort last = ref page.LastQueues[port.Value % WordsPerPage];
        bool tell;
        while (true)
        {
            int oldQueue = Volatile.Read(ref last);
            FifoVcpu old = _vcpus[oldQueue / FifoEventLimits.MaxQueues];
            bool oldFirst = old.Vcpu.Id.Value < target.Vcpu.Id.Value;
            using (Lock.Scope outer = (oldFirst ? old : target).Lock.EnterScope())
            using (Lock.Scope inner = (oldFirst ? target : old).Lock.EnterScope())
            {
                // Another sender has moved it before we held the locks: then one of them is the wrong one.
                if (Volatile.Read(ref last) != oldQueue)
                    continue;
                tell = LinkLocked(page, port, old, ref last, target, channel.Priority);
                break;
            }
        }

        if (tell && !target.Vcpu.Info.TestAndSetUpcallPending())
            target.Vcpu.Wake();
    }

    /// <returns>Whether the vCPU has to be told.</returns>
    private bool LinkLocked(FifoPage page, EvtchnPort port, FifoVcpu old, ref ushort last, FifoVcpu target, int priority)
    {
        // The vCPU has no queues yet: the event stays pending, and is linked when it gets them.
        if (target.ControlBlock == 0)
            return false;
        if ((Interlocked.Or(ref Word(page, port), FifoEventWord.Linked) & FifoEventWord.Linked) != 0)
            return false;

        // It was not linked: if it was the last of its old queue, the guest has emptied that one, and nothing may be linked to it there any more.
        ref uint oldTail = ref old.Tails[last % FifoEventLimits.MaxQueues];
        if (oldTail == port.Value)
            oldTail = 0;
        Volatile.Write(ref last, (ushort)((target.Vcpu.Id.Value * FifoEventLimits.MaxQueues) + priority));

        ref uint tail = ref target.Tails[priority];
        bool appended = tail != 0 && TrySetLink(new EvtchnPort(tail), port);
        tail = port.Value;
        if (appended)
            return false;
        uint bit = 1u << priority;
        _code.NoteWrite(Mfn.FromAddress(target.ControlBlock));
        Volatile.Write(ref _memory.Ref<uint>(target.ControlBlock + FifoControlBlockLayout.Head + ((uint)priority * sizeof(uint))), port.Value);
        return (Interlocked.Or(ref _memory.Ref<uint>(target.ControlBlock + FifoControlBlockLayout.Ready), bit) & bit) == 0;
    }

    /// <summary>Links a port behind the tail of its queue, if the tail is still linked.</summary>
    /// <returns>False when the guest has taken the tail: the queue is empty.</returns>
    private bool TrySetLink(EvtchnPort tail, EvtchnPort port)
    {
        if (FindPage(tail) is not { } page)
            return false;
        ref uint word = ref Word(page, tail);
        uint seen = Volatile.Read(ref word);
        for (int attempt = 0; attempt < MostLinkAttempts; attempt++)
        {
            if ((seen & FifoEventWord.Linked) == 0)
            {
                if ((seen & FifoEventWord.Busy) != 0)
                    Interlocked.And(ref word, ~FifoEventWord.Busy);
                return false;
            }

            uint wanted = (seen & ~(FifoEventWord.Busy | FifoEventWord.LinkMask)) | port.Value;
            uint found = Interlocked.CompareExchange(ref word, wanted, seen);
            if (found == seen)
                return true;

            // It changes under our hands: keep the guest from unmasking it meanwhile, which it could do again and again.
            seen = Interlocked.Or(ref word, FifoEventWord.Busy) | FifoEventWord.Busy;
        }

        Interlocked.And(ref word, ~FifoEventWord.Busy);
        Interlocked.Increment(ref _protocolFaults);
        return true;
    }

    private bool SetEarly(EvtchnPort port, EventChannel channel)
    {
        if (port.Value / 64 >= (uint)_early.Length)
            return false;
        bool first = (Interlocked.Or(ref _early[port.Value / 64], EarlyBit(port)) & EarlyBit(port)) == 0;

        // The page came meanwhile, and who brought it may have looked before the bit was set.
        return FindPage(port) is not null && TakeEarly(port) ? SetPending(port, channel) : first;
    }

    private bool TakeEarly(EvtchnPort port) =>
        port.Value / 64 < (uint)_early.Length && (Interlocked.And(ref _early[port.Value / 64], ~EarlyBit(port)) & EarlyBit(port)) != 0;

    private static ulong EarlyBit(EvtchnPort port) => 1ul << (int)(port.Value % 64);

    private FifoPage? FindPage(EvtchnPort port) =>
        port.Value < FifoEventLimits.NrChannels ? Volatile.Read(ref _pages[port.Value / WordsPerPage]) : null;

    private ref uint Word(FifoPage page, EvtchnPort port)
    {
        _code.NoteWrite(page.Frame);
        return ref _memory.Ref<uint>(page.Frame.Address + (port.Value % WordsPerPage * FifoEventWord.Size));
    }
}
