using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// One vCPU's sixteen queues, one per priority. The tails are ours alone; the heads and the ready bits lie in a control block that is the guest's memory.
/// <code>
///  0 ready      bit per queue that is not empty: we set, the guest takes
///  4 reserved
///  8 head[16]   first port of a queue: we write when the queue was empty
/// 72 end
/// </code>
/// <b>Source</b>: event_channel.h, struct evtchn_fifo_control_block.
/// </summary>
internal sealed class FifoVcpu(Vcpu vcpu)
{
    /// <summary>Guards the queues. Of two vCPUs the lower number first; nothing is taken inside.</summary>
    public Lock Lock { get; } = new();

    public Vcpu Vcpu => vcpu;

    /// <summary>Machine address of the control block; 0 while the guest has not given one. Set once, under <see cref="Lock"/>.</summary>
    public ulong ControlBlock { get; set; }

    /// <summary>The last port that was put into each queue; 0 when the queue is known to be empty. Under <see cref="Lock"/>.</summary>
    public uint[] Tails { get; } = new uint[FifoEventLimits.MaxQueues];
}

/// <summary>One page of the event array: a frame of the guest with 1024 event words, and which queue each of its ports was in last.</summary>
/// <remarks>A queue is vCPU * 16 + priority. It changes under the locks of both vCPUs, the old one's and the new one's.</remarks>
internal sealed class FifoPage
{
    public FifoPage(Mfn frame)
    {
        Frame = frame;
        Array.Fill(LastQueues, (ushort)FifoEventLimits.PriorityDefault);
    }

    public Mfn Frame { get; }

    public ushort[] LastQueues { get; } = new ushort[FifoEvents.WordsPerPage];
}
