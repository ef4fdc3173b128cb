using Xen.Cpu;

namespace Xen.Toolstack;

/// <summary>What a domain is built from: the checked content of a configuration file with its command-line overrides. <b>Source</b>: xmdomain.cfg(5).</summary>
public sealed record DomainConfig
{
    /// <summary>Least memory that a domain may have. <b>Units</b>: MiB.</summary>
    public const int LeastMemoryMiB = 64;

    /// <summary>Most memory that a domain may have. <b>Units</b>: MiB.</summary>
    public const int MostMemoryMiB = 65536;

    /// <summary>Longest kernel command line, in bytes without the final zero. <b>Source</b>: xen.h, MAX_GUEST_CMDLINE.</summary>
    public const int MostCommandLineBytes = 1023;

    /// <summary>Most vCPUs that a PV domain may have: those whose vcpu_info stands in the shared_info page. <b>Source</b>: XEN_LEGACY_MAX_VCPUS.</summary>
    public const int MostVcpus = 32;

    /// <summary>Memory for translated code of each vCPU, at most and unless told otherwise. <b>Units</b>: MiB.</summary>
    public const int MostCodeCacheMiB = 512, PresetCodeCacheMiB = 64;

    /// <summary>The engine that runs both others and compares them; for one vCPU.</summary>
    public const string CheckingCpuEngine = CpuEngines.Lockstep;

    /// <summary>The domain's name, unique on the machine.</summary>
    public required string Name { get; init; }

    /// <summary>The kernel image: absolute path.</summary>
    public required string Kernel { get; init; }

    /// <summary>The initial ramdisk: absolute path, or null.</summary>
    public string? Ramdisk { get; init; }

    /// <summary>The kernel's command line, put together from <c>cmdline</c>, or <c>root</c> and <c>extra</c>.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>Memory at start. <b>Units</b>: MiB.</summary>
    public int MemoryMiB { get; init; } = 128;

    /// <summary>Most memory it may grow to. <b>Units</b>: MiB.</summary>
    public int MaxMemoryMiB { get; init; } = 128;

    /// <summary>vCPUs that may be brought up at start.</summary>
    public int Vcpus { get; init; } = 1;

    /// <summary>vCPUs that exist.</summary>
    public int MaxVcpus { get; init; } = 1;

    public ShutdownAction OnPoweroff { get; init; } = ShutdownAction.Destroy;

    public ShutdownAction OnReboot { get; init; } = ShutdownAction.Restart;

    public ShutdownAction OnCrash { get; init; } = ShutdownAction.Restart;

    public ShutdownAction OnWatchdog { get; init; } = ShutdownAction.Destroy;

    /// <summary>Whether a managed domain is started with xend. <b>Source</b>: xmdomain.cfg(5), on_xend_start.</summary>
    public bool StartsWithXend { get; init; }

    /// <summary>What happens to it when xend is told to stop.</summary>
    public XendStopAction OnXendStop { get; init; } = XendStopAction.Shutdown;

    /// <summary>Share of the processors among busy domains, relative to the others'. <b>Source</b>: credit scheduler, 1...65535.</summary>
    public int CpuWeight { get; init; } = 256;

    /// <summary>Most processor time. <b>Units</b>: percent of one processor; 0 is no cap.</summary>
    public int CpuCap { get; init; }

    /// <summary>The processors that each vCPU may run on, by its number; a vCPU without an entry may run on any.</summary>
    public IReadOnlyList<IReadOnlySet<int>> Affinity { get; init; } = [];

    /// <summary>Event channels that it may have. <b>Source</b>: xl.cfg(5), max_event_channels.</summary>
    public int MaxEventChannels { get; init; } = 1023;

    /// <summary>Pages that its grant table may have. <b>Source</b>: xl.cfg(5), max_grant_frames.</summary>
    public int MaxGrantFrames { get; init; } = 64;

    /// <summary>Pages of handles for what it maps of others. <b>Source</b>: xl.cfg(5), max_maptrack_frames.</summary>
    public int MaxMaptrackFrames { get; init; } = 1024;

    /// <summary>Its disks, in the order of the file.</summary>
    public IReadOnlyList<DiskConfig> Disks { get; init; } = [];

    /// <summary>Its network interfaces, in the order of the file.</summary>
    public IReadOnlyList<VifConfig> Vifs { get; init; } = [];

    /// <summary>Its consoles by number; at least one, and <see cref="ConsoleConfig.Most"/> at most.</summary>
    public IReadOnlyList<ConsoleConfig> Consoles { get; init; } = [new()];

    public Guid Uuid { get; init; }

    /// <summary>What it writes to disks that are copied on write is kept when it ends: for a managed domain, which is started again.</summary>
    public bool KeepsDisks { get; init; }

    /// <summary>What executes the guest's instructions: one of <see cref="CpuEngines.Names"/>.</summary>
    public string CpuEngine { get; init; } = CpuEngines.Default;

    /// <summary>Processor features that CPUID does not show. <b>Source</b>: xl.cfg(5), cpuid.</summary>
    public CpuFeatures HiddenCpuFeatures { get; init; } = CpuFeatures.None;

    /// <summary>Memory that each vCPU's engine may have for translated code; at least 1. <b>Units</b>: MiB.</summary>
    public int CodeCacheMiB { get; init; } = PresetCodeCacheMiB;

    /// <summary>Features that the kernel shall be given, as in its ELF notes, separated by '|'; empty for the usual ones.</summary>
    public string Features { get; init; } = "";

    /// <summary>The file it was read from, for messages.</summary>
    public string Source { get; init; } = "";

    /// <summary>The same, but that disks are copied on write that it would write alone.</summary>
    public DomainConfig WithCopiedDisks() =>
        this with { Disks = [.. Disks.Select(static disk => disk.Access == DiskAccess.ReadWrite ? disk with { Access = DiskAccess.CopyOnWrite } : disk)] };
}

/// <summary>What happens to a domain when xend is told to stop. <b>Source</b>: xmdomain.cfg(5), on_xend_stop.</summary>
public enum XendStopAction
{
    /// <summary>It is asked to shut down, and destroyed if it does not in time.</summary>
    Shutdown,

    /// <summary>It is destroyed at once.</summary>
    Destroy,
}

/// <summary>What happens when a domain shuts down. <b>Source</b>: xmdomain.cfg(5), on_poweroff and its like.</summary>
public enum ShutdownAction
{
    Destroy,
    Restart,
    RenameRestart,
    Preserve,
    CoredumpDestroy,
    CoredumpRestart,
}
