using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// One machine: memory, processors, domains. Read this first. Nothing is static: two machines in one process do not know of each other.
/// </summary>
public sealed partial class Machine : IDisposable
{
    /// <summary>Guards the set of domains. First in the lock order (docs/architecture.md).</summary>
    private readonly Lock _domainsLock = new();
    private readonly Dictionary<DomId, Domain> _domains = [];
    private readonly TimerThread _timerThread;

    /// <summary>Builds a machine and starts its processors.</summary>
    public Machine(MachineConfig config)
    {
        Config = config;
        Memory = new MachineMemory(config.FrameCount);
        Code = new CodeMap(config.FrameCount);
        Clock = new MachineClock(config.Time);
        Log = new MachineLog(Clock, config.LogSink);
        Timers = new TimerQueue();
        _timerThread = new TimerThread(Clock, Timers);
        Scheduler = new Scheduler(Clock, config.PhysicalCpuCount);
        _timerThread.Start();
        Scheduler.Start();
        Frames = new FrameTable(config.FrameCount);
        Allocator = new FrameAllocator(Memory, Frames);
        HostGrants = new HostGrants(this);
    }

    /// <summary>What the machine was built from.</summary>
    public MachineConfig Config { get; }

    /// <summary>The machine's memory.</summary>
    public MachineMemory Memory { get; }

    /// <summary>Which frames hold decoded code.</summary>
    public CodeMap Code { get; }

    /// <summary>The machine's time.</summary>
    public MachineClock Clock { get; }

    /// <summary>The hypervisor's console.</summary>
    public MachineLog Log { get; }

    /// <summary>All timers.</summary>
    internal TimerQueue Timers { get; }

    /// <summary>Who runs where.</summary>
    internal Scheduler Scheduler { get; }

    /// <summary>Ends all domains, stops the processors and gives the memory back.</summary>
    public void Dispose()
    {
        foreach (Domain domain in Domains)
            DestroyDomain(domain);
        Scheduler.Dispose();
        _timerThread.Dispose();
        Frames.Dispose();
        Code.Dispose();
        Memory.Dispose();
    }
}
