using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// How pending and masked events look in memory that guest and hypervisor share: two levels of bits (<see cref="TwoLevelEvents"/>), or queues of
/// event words (<see cref="FifoEvents"/>). A domain has one of them at a time; it starts with two levels and chooses queues by its first
/// EVTCHNOP_init_control. <b>Source</b>: event_channel.h, "2-level ABI", "FIFO ABI".
/// </summary>
/// <remarks>
/// This is a seam for a choice made once in a domain's life, not for speed: one call per event goes through it. Threads: any, without the table's
/// lock, but inside of its <see cref="SenderGate"/>, since the memory goes away behind a shut gate. Nothing here throws whatever the guest wrote.
/// </remarks>
internal interface IEventAbi
{
    /// <summary>Ports that there is room for, port 0 included.</summary>
    int PortCount { get; }

    /// <summary>Makes a port pending and, unless it was told before or is masked, tells its vCPU. A full barrier.</summary>
    /// <returns>Whether it was not pending before: then those that poll it are to be woken.</returns>
    bool SetPending(EvtchnPort port, EventChannel channel);

    /// <summary>Takes a pending event back.</summary>
    /// <returns>Whether there was one.</returns>
    bool ClearPending(EvtchnPort port);

    /// <summary>Unmasks a port and, if an event came meanwhile, tells its vCPU.</summary>
    void Unmask(EvtchnPort port, EventChannel channel);

    /// <summary>Whether an event waits, masked or not.</summary>
    bool IsPending(EvtchnPort port);

    /// <summary>Whether the guest has not let go of a port yet that is closed: it cannot be used again.</summary>
    bool IsBusy(EvtchnPort port);
}
