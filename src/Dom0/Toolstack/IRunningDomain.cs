namespace Xen.Toolstack;

/// <summary>
/// A domain as its creator sees it: one life from creation until its last shutdown. A restart (on_reboot, on_crash)
/// gives it a new number and new memory; name, console, this object and what was set here stay.
/// </summary>
/// <remarks>
/// Any thread, also while the domain ends or restarts: then a call waits until that is done. What cannot be carried out is a
/// <see cref="ToolstackException"/>, also that the domain has ended, unless a member says otherwise.
/// </remarks>
public interface IRunningDomain : IDisposable
{
    /// <summary>Told when another life has begun, with another number; quick, and outside of locks.</summary>
    event Action? Restarted;

    /// <summary>
    /// Told when what has shut down is kept as a domain of its own, with a name, a UUID and no devices, while this one begins another life
    /// (rename-restart); outside of locks.
    /// </summary>
    event Action<IRunningDomain>? Kept;

    /// <summary>The number it has now.</summary>
    int Id { get; }

    /// <summary>What it was built from, with what was changed since: what its next life is built from.</summary>
    DomainConfig Config { get; }

    /// <summary>How it stands at this moment, for <c>xm list</c>; while it ends or restarts, how it stood before. Never faults.</summary>
    DomainStatus Status { get; }

    /// <summary>When the life that it has now began.</summary>
    DateTimeOffset StartTime { get; }

    /// <summary>The PV console that it starts with: number 0.</summary>
    IDomainConsole Console => Consoles[0];

    /// <summary>All its PV consoles by number; at least one.</summary>
    IReadOnlyList<IDomainConsole> Consoles { get; }

    /// <summary>Its block devices and network interfaces.</summary>
    IDomainDevices Devices { get; }

    /// <summary>Completes when the domain is gone and will not be restarted. Never faults.</summary>
    Task<DomainOutcome> Completion { get; }

    /// <summary>Its share of the processors.</summary>
    DomainShare Share { get; }

    /// <summary>Its vCPUs by number; none if it has ended.</summary>
    IReadOnlyList<VcpuStatus> Vcpus { get; }

    /// <summary>What it has used so far; what it had used last while it ends or restarts. Never faults.</summary>
    DomainStatistics Statistics { get; }

    /// <summary>Stops its vCPUs; pauses nest. Does nothing if it has ended.</summary>
    void Pause();

    /// <summary>Undoes one pause; also starts a new domain. Does nothing if it has ended.</summary>
    void Unpause();

    /// <summary>Ends the domain at once; its <c>on_</c> actions do not apply. Does nothing if it has ended.</summary>
    void Destroy();

    /// <summary>From now on nothing restarts it: where its <c>on_</c> actions say so it ends. For a machine that is about to end.</summary>
    void EndWithThisLife();

    /// <summary>Ends its life at once and begins another, as <c>on_reboot="restart"</c> does, whatever its actions say.</summary>
    void Reset();

    /// <summary>Asks the guest to shut down (xenstore's control/shutdown); returns at once. What follows its shutdown say its <c>on_</c> actions.</summary>
    void RequestShutdown(ShutdownRequest request);

    /// <summary>Sends the guest's kernel a magic SysRq key (xenstore's control/sysrq).</summary>
    /// <param name="key">A printable ASCII character.</param>
    void SendSysRq(char key);

    /// <summary>Does something to a vCPU that hardware would do (<c>xm trigger</c>).</summary>
    /// <param name="trigger">What; a paravirtual guest has only NMI, the others are refused.</param>
    /// <param name="vcpu">Its number; it is up.</param>
    void Trigger(DomainTrigger trigger, int vcpu = 0);

    /// <summary>Gives the domain another name, in xenstore, in logs and for those who look for it by name.</summary>
    void Rename(string name);

    /// <summary>Changes the share of the processors; what is null stays.</summary>
    /// <param name="weight">1 to 65535.</param>
    /// <param name="cap">Percent of one processor, up to 100 for each of its vCPUs; 0 is no limit.</param>
    void SetShare(int? weight, int? cap);

    /// <summary>Says which physical CPUs a vCPU may run on.</summary>
    /// <param name="vcpu">Its number, or null for all.</param>
    /// <param name="cpus">The physical CPUs, of which the machine has at least one; null for any.</param>
    void PinVcpu(int? vcpu, IReadOnlySet<int>? cpus);

    /// <summary>Asks the guest to have so many vCPUs up (xenstore's cpu/N/availability); it follows in its time, if its kernel can.</summary>
    /// <param name="count">1 to <see cref="DomainConfig.MaxVcpus"/>.</param>
    void SetVcpuCount(int count);

    /// <summary>Asks the guest to have so much memory (xenstore's memory/target); its balloon driver follows in its time.</summary>
    /// <param name="mebibytes"><see cref="DomainConfig.LeastMemoryMiB"/> to <see cref="DomainConfig.MaxMemoryMiB"/>. <b>Units</b>: MiB.</param>
    void SetMemoryTarget(int mebibytes);

    /// <summary>Changes how much memory the domain may have at most.</summary>
    /// <param name="mebibytes">Not less than the target. <b>Units</b>: MiB.</param>
    void SetMaxMemory(int mebibytes);

    /// <summary>Writes its memory and the state of its vCPUs to an ELF file in Xen's format of core dumps; pages of zeroes take no room.</summary>
    /// <param name="path">The file; null for one in <see cref="MachineOptions.CoreDumpFolder"/>, which is to be there.</param>
    /// <param name="options">Whether it runs meanwhile, and what happens to it afterwards.</param>
    /// <returns>The file.</returns>
    string DumpCore(string? path, CoreDumpOptions options);

    /// <summary>Its counters as text, one <c>name value</c> per line: hypercalls, exits, faults, emulated instructions; empty if it has ended.</summary>
    string DescribeCounters();
}

/// <summary>What a guest can be asked by xenstore's control/shutdown.</summary>
public enum ShutdownRequest
{
    Poweroff,
    Reboot,
    Halt,

    /// <summary>Refused for now: there is no saving of domains.</summary>
    Suspend,
}

/// <summary>How a core is dumped (<c>xm dump-core</c>).</summary>
/// <param name="Live">The domain runs while its memory is copied, which is then not all of one moment; else it is paused meanwhile.</param>
/// <param name="Crash">It is ended when its core is written, as <see cref="IRunningDomain.Destroy"/> does.</param>
/// <param name="Reset">It is reset when its core is written.</param>
public sealed record CoreDumpOptions(bool Live = false, bool Crash = false, bool Reset = false);

/// <summary>What <c>xm trigger</c> knows. <b>Source</b>: domctl.h, XEN_DOMCTL_SENDTRIGGER_.</summary>
public enum DomainTrigger
{
    Nmi,
    Reset,
    Init,
    Power,
    Sleep,
    S3Resume,
}
