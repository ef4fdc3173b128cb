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
    /// <remarks>Several may be built at the same time. What it needs of the machine's memory is its own from the beginning, or nothing is begun.</remarks>
    /// <exception cref="ToolstackException">The kernel cannot be loaded, memory is short, the name is taken...: file, cause and remedy.</exception>
    IRunningDomain CreateDomain(DomainConfig config);

    /// <summary>Removes what domains have written to disks that are copied on write, but for these: of a domain that is forgotten, or ended when its machine was killed.</summary>
    /// <param name="kept">UUIDs of the domains whose disks are kept; those that run are kept anyway.</param>
    void ForgetDisks(IReadOnlySet<Guid> kept);

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

/// <summary>What a machine is made for.</summary>
/// <param name="GuestMemoryMiB">Memory that all its domains together may have. It costs the host nothing before a domain writes to it. <b>Units</b>: MiB.</param>
public sealed record MachineOptions(int GuestMemoryMiB)
{
    /// <summary>Where the switches of bridges meet those of other machines of the user: a folder of his own. Null: nowhere.</summary>
    public string? TrunkFolder { get; init; }

    /// <summary>Where the logs of consoles are that are given no path. Null: such a console is refused.</summary>
    public string? ConsoleLogFolder { get; init; }

    /// <summary>Where what domains write to disks is that are copied on write; made when the first is. Null: such disks are refused.</summary>
    public string? OverlayFolder { get; init; }

    /// <summary>Where core dumps are that are given no path, such as those of coredump-restart; made when the first is written. Null: there are none.</summary>
    public string? CoreDumpFolder { get; init; }
}

/// <summary>What <c>xm info</c> prints about the machine beyond what the host says of itself.</summary>
/// <param name="TotalMemoryMiB">Machine memory. <b>Units</b>: MiB.</param>
/// <param name="FreeMemoryMiB">Memory that new domains can have. <b>Units</b>: MiB.</param>
/// <param name="PhysicalCpus">Host threads that run vCPUs.</param>
/// <param name="CpuKhz">Frequency of the guests' TSC. <b>Units</b>: kHz.</param>
/// <param name="CpuEngine">Name of the CPU engine of domains that choose none.</param>
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
