using System.Numerics;
using Xen.Abi;

namespace Xen.Core.Tests.Events;

/// <summary>
/// The guest's half of the FIFO ABI, written from the public protocol: it takes heads, unlinks, clears and unmasks as a kernel does, by atomic operations on
/// the words alone.
/// </summary>
internal sealed class FifoGuest(TestGuest guest)
{
    public const int ControlPage = 40, ArrayPage = 44;

    /// <summary>Where in its page a control block lies.</summary>
    public const uint Offset = 256;

    private const uint P = FifoEventWord.Pending, M = FifoEventWord.Masked, L = FifoEventWord.Linked, B = FifoEventWord.Busy;

    private readonly uint[,] _heads = new uint[guest.Domain.Vcpus.Count, FifoEventLimits.MaxQueues];

    private EventChannelTable Events => guest.Domain.Events;

    public Mfn Frame(int page) => guest.Domain.FrameOf(new Pfn((ulong)page));

    /// <summary>Every vCPU's control block, and pages of the event array whose words are as given.</summary>
    public FifoGuest Start(uint word = 0, int pages = 1)
    {
        for (int vcpu = 0; vcpu < guest.Domain.Vcpus.Count; vcpu++)
            Assert.Equal(XenErrno.OK, Init(vcpu));
        for (int page = 0; page < pages; page++)
            Assert.Equal(XenErrno.OK, Expand(page, word));
        return this;
    }

    public XenErrno Init(int vcpu) => Events.InitControl((uint)vcpu, Frame(ControlPage + vcpu), Offset, null);

    public XenErrno Expand(int page, uint word)
    {
        for (int i = 0; i < FifoEvents.WordsPerPage; i++)
            guest.Machine.Memory.Ref<uint>(Frame(ArrayPage + page).Address + ((uint)i * 4)) = word;
        return Events.ExpandArray(Frame(ArrayPage + page), null);
    }

    public ref uint Word(uint port) =>
        ref guest.Machine.Memory.Ref<uint>(Frame(ArrayPage + (int)(port / FifoEvents.WordsPerPage)).Address + (port % FifoEvents.WordsPerPage * 4));

    public ref uint Control(int vcpu, int offset) =>
        ref guest.Machine.Memory.Ref<uint>(Frame(ControlPage + vcpu).Address + Offset + (uint)offset);

    public bool TakeUpcall(int vcpu) =>
        Interlocked.Exchange(ref guest.Machine.Memory.Ref<byte>(guest.Domain.Vcpus[vcpu].Info.MachineAddress + VcpuInfoLayout.UpcallPending), 0) != 0;

    /// <summary>Handles an upcall, if there is one: all queues until they are empty.</summary>
    public void Drain(int vcpu, Action<uint> handler)
    {
        if (!TakeUpcall(vcpu))
            return;
        uint ready = Interlocked.Exchange(ref Control(vcpu, FifoControlBlockLayout.Ready), 0);
        while (ready != 0)
        {
            int queue = BitOperations.TrailingZeroCount(ready);
            uint port = _heads[vcpu, queue];
            if (port == 0)
                port = Volatile.Read(ref Control(vcpu, FifoControlBlockLayout.Head + (queue * 4)));
            uint next = Unlink(port);
            if (next == 0)
                ready &= ~(1u << queue);
            uint word = Volatile.Read(ref Word(port));
            if ((word & (P | M)) == P)
            {
                Interlocked.And(ref Word(port), ~P);
                handler(port);
            }

            _heads[vcpu, queue] = next;
            ready |= Interlocked.Exchange(ref Control(vcpu, FifoControlBlockLayout.Ready), 0);
        }
    }

    public List<uint> Drain(int vcpu)
    {
        List<uint> ports = [];
        Drain(vcpu, ports.Add);
        return ports;
    }

    public void Mask(uint port) => Interlocked.Or(ref Word(port), M);

    /// <summary>Clears MASKED while the word is neither busy nor pending; leaves a pending one to the hypervisor.</summary>
    public void Unmask(uint port)
    {
        uint seen = Volatile.Read(ref Word(port));
        while ((seen & M) != 0)
        {
            if ((seen & P) != 0)
            {
                Assert.Equal(XenErrno.OK, Events.Unmask(new EvtchnPort(port)));
                return;
            }

            uint expected = seen & ~B;
            seen = Interlocked.CompareExchange(ref Word(port), expected & ~M, expected);
            if (seen == expected)
                return;
        }
    }

    private uint Unlink(uint port)
    {
        ref uint word = ref Word(port);
        uint seen = Volatile.Read(ref word);
        while (true)
        {
            uint found = Interlocked.CompareExchange(ref word, seen & ~(L | FifoEventWord.LinkMask), seen);
            if (found == seen)
                return seen & FifoEventWord.LinkMask;
            seen = found;
        }
    }
}
