namespace Xen.Toolstack;

/// <summary>
/// What a control program (xm) asks of a machine. Read this first: the commands, the console client and the control socket
/// know nothing else of the hypervisor, so that a service can stand behind the same interface later.
/// </summary>
/// <remarks>All members may be called from any thread. Faults end as <see cref="ToolstackException"/>: one sentence for a person.</remarks>
public interface IToolstack : IDisposable
{
    /// <summary>What the machine is, for <c>xm info</c>.</summary>
    MachineInfo Info { get; }

    /// <summary>The guest domains that exist, by rising number.</summary>
    IReadOnlyList<IRunningDomain> Domains { get; }

    /// <summary>Builds a domain from its configuration. It is paused: <see cref="IRunningDomain.Unpause"/> starts it.</summary>
    /// <exception cref="ToolstackException">The kernel cannot be loaded, memory is short, the name is taken...: file, cause and remedy.</exception>
    IRunningDomain CreateDomain(DomainConfig config);

    /// <summary>Offers xenstore on a Unix socket, to xenstore's tools and to whoever may open the socket; until the machine ends.</summary>
    /// <param name="path">The socket.</param>
    /// <exception cref="ToolstackException">It cannot be made, or another xenstore has it.</exception>
    void ListenForStore(string path);

    /// <summary>The hypervisor's console log (<c>xm dmesg</c>): bounded, oldest lines lost first.</summary>
    /// <param name="clear">Also empties it.</param>
    string ReadLog(bool clear = false);

    /// <summary>Answers a debug key: 'h' lists the keys, 'q' prints domains and their counters...</summary>
    /// <returns>What the key printed; it is in the log, too.</returns>
    string DebugKey(char key);

    /// <summary>Told each line that the hypervisor logs, on the thread that logs it; handlers must be quick.</summary>
    event Action<string>? LogWritten;
}

/// <summary>
/// A domain as its creator sees it: one life from creation until its last shutdown. A restart (on_reboot, on_crash)
/// gives it a new number and new memory; name, console and this object stay.
/// </summary>
public interface IRunningDomain : IDisposable
{
    /// <summary>The number it has now.</summary>
    int Id { get; }

    /// <summary>What it was built from.</summary>
    DomainConfig Config { get; }

    /// <summary>How it stands at this moment, for <c>xm list</c>.</summary>
    DomainStatus Status { get; }

    /// <summary>The PV console that it starts with: number 0.</summary>
    IDomainConsole Console => Consoles[0];

    /// <summary>All its PV consoles by number; at least one.</summary>
    IReadOnlyList<IDomainConsole> Consoles { get; }

    /// <summary>Its block devices and network interfaces.</summary>
    IDomainDevices Devices { get; }

    /// <summary>Completes when the domain is gone and will not be restarted. Never faults.</summary>
    Task<DomainOutcome> Completion { get; }

    /// <summary>Stops its vCPUs; pauses nest.</summary>
    void Pause();

    /// <summary>Undoes one pause; also starts a new domain.</summary>
    void Unpause();

    /// <summary>Ends the domain at once; its <c>on_</c> actions do not apply. Does nothing if it has ended.</summary>
    void Destroy();

    /// <summary>Its counters as text, one <c>name value</c> per line: hypercalls, exits, faults, emulated instructions.</summary>
    string DescribeCounters();
}

/// <summary>The host's end of a domain's console.</summary>
public interface IDomainConsole : IConsoleStream
{
    /// <summary>Takes the console for one person, until the result is disposed of.</summary>
    /// <returns>Null while somebody has it.</returns>
    IDisposable? TryTake();
}

/// <summary>What a person at a console reads and types. One reader at a time; bytes, no encoding.</summary>
public interface IConsoleStream
{
    /// <summary>Reads what the guest wrote, waiting for the first byte. Output while nobody reads is kept up to a bound, oldest bytes lost first.</summary>
    /// <returns>The number of bytes; 0 when the domain has ended and all was read.</returns>
    ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation);

    /// <summary>Types into the console; completes when the bytes are on their way (the guest may be slow to take them).</summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation);
}

/// <summary>Why a guest stopped. <b>Source</b>: sched.h, SHUTDOWN_.</summary>
public enum ShutdownReason
{
    Poweroff = 0,
    Reboot = 1,
    Suspend = 2,
    Crash = 3,
    Watchdog = 4,
    SoftReset = 5,
}

/// <summary>What a machine is made for.</summary>
/// <param name="GuestMemoryMiB">Guest memory that it must have room for, all domains together. <b>Units</b>: MiB.</param>
/// <param name="CpuEngine">Name of the CPU engine: <see cref="DomainConfig.CpuEngine"/>.</param>
public sealed record MachineOptions(int GuestMemoryMiB, string CpuEngine)
{
    /// <summary>Memory that each vCPU's engine may have for translated code: <see cref="DomainConfig.CodeCacheMiB"/>. <b>Units</b>: MiB.</summary>
    public int CodeCacheMiB { get; init; } = DomainConfig.PresetCodeCacheMiB;

    /// <summary>Where the switches of bridges meet those of other machines of the user: a folder of his own. Null: nowhere.</summary>
    public string? TrunkFolder { get; init; }

    /// <summary>Where the logs of consoles are that are given no path. Null: such a console is refused.</summary>
    public string? ConsoleLogFolder { get; init; }
}

/// <summary>How a domain's life ended.</summary>
/// <param name="Reason">The reason of its last shutdown; <see cref="ShutdownReason.Poweroff"/> if it was destroyed.</param>
/// <param name="Destroyed">It was ended from outside.</param>
/// <param name="Report">For a crash: reason, registers and the last trace events, lines for a person; else empty.</param>
public sealed record DomainOutcome(ShutdownReason Reason, bool Destroyed, string Report);

/// <summary>One line of <c>xm list</c>.</summary>
/// <param name="MemoryMiB">Memory that the domain owns. <b>Units</b>: MiB.</param>
/// <param name="OnlineVcpus">vCPUs that are up.</param>
/// <param name="State">What it is doing.</param>
/// <param name="CpuTime">Time its vCPUs have run, summed.</param>
public sealed record DomainStatus(int MemoryMiB, int OnlineVcpus, DomainState State, TimeSpan CpuTime);

/// <summary>The state columns of <c>xm list</c>: r b p s c d, several may be set.</summary>
[Flags]
public enum DomainState
{
    None = 0,
    Running = 1,
    Blocked = 2,
    Paused = 4,
    Shutdown = 8,
    Crashed = 16,
    Dying = 32,
}

/// <summary>What <c>xm info</c> prints about the machine beyond what the host says of itself.</summary>
/// <param name="TotalMemoryMiB">Machine memory. <b>Units</b>: MiB.</param>
/// <param name="FreeMemoryMiB">Memory no domain owns. <b>Units</b>: MiB.</param>
/// <param name="PhysicalCpus">Host threads that run vCPUs.</param>
/// <param name="CpuKhz">Frequency of the guests' TSC. <b>Units</b>: kHz.</param>
/// <param name="CpuEngine">Name of the CPU engine.</param>
/// <param name="Scheduler">Name of the scheduler.</param>
public sealed record MachineInfo(int TotalMemoryMiB, int FreeMemoryMiB, int PhysicalCpus, long CpuKhz, string CpuEngine, string Scheduler);

/// <summary>A request that could not be carried out: one sentence that says what was wrong, where, and what to do.</summary>
public sealed class ToolstackException : Exception
{
    public ToolstackException()
    {
    }

    public ToolstackException(string message)
        : base(message)
    {
    }

    public ToolstackException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
