using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Net.Backend;

/// <summary>What is decided for one vif before its guest has a say.</summary>
/// <param name="Mac">The guest's address.</param>
public sealed record NetBackendOptions(MacAddress Mac)
{
    /// <summary>The most queues that the frontend may ask for.</summary>
    public int MaxQueues { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>What the guest may leave undone, and may be given undone: the switch for a network that offloads do no good.</summary>
    public FrameFeatures Offloads { get; init; } = FrameFeatures.All;

    /// <summary>How fast the guest may send; null is no limit.</summary>
    public RateLimit? Rate { get; init; }

    /// <summary>What the guest is told of the longest packet. <b>Units</b>: bytes without the Ethernet header. Null leaves it at 1500.</summary>
    public int? Mtu { get; init; }

    /// <summary>
    /// What waits for a guest that has no free buffers; of more the sender is made to wait, or it is dropped. As much as the window of a Linux guest's
    /// connection: passt throws away what its socket does not take, and what is lost so costs it a timeout. <b>Units</b>: bytes, for each queue.
    /// </summary>
    public int QueueBytes { get; init; } = 4 << 20;

    /// <summary>Called with a sentence for the operator: the network failed, or is there again. Any thread; it must not throw.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>The time by which the rate is measured.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
