namespace Xen.Contract;

/// <summary>Where xend and its clients find and keep files: the user's own folders by the XDG rules, for root Xen's.</summary>
/// <param name="RuntimeFolder">Sockets and locks.</param>
/// <param name="LogFolder">Logs of xend, the hypervisor and consoles.</param>
/// <param name="ConfigFolders">Where a configuration file is looked for that is not in the current folder.</param>
public sealed record XenPaths(string RuntimeFolder, string LogFolder, IReadOnlyList<string> ConfigFolders)
{
    /// <summary>xend's control socket.</summary>
    public string ServiceSocket => Path.Combine(RuntimeFolder, "xend.socket");

    /// <summary>Held locked while xend runs; its process's number is in it.</summary>
    public string ServiceLock => Path.Combine(RuntimeFolder, "xend.lock");

    /// <summary>xenstore's socket.</summary>
    public string StoreSocket => Path.Combine(RuntimeFolder, "xenstored.socket");

    /// <summary>Where xenstore's tools look for a socket when XENSTORED_PATH is not set; null if we may not or shall not use it.</summary>
    public string? DefaultStoreSocket { get; init; }

    /// <summary>What xend itself has to say.</summary>
    public string ServiceLog => Path.Combine(LogFolder, "xend.log");

    /// <summary>The hypervisor's log.</summary>
    public string HypervisorLog => Path.Combine(LogFolder, "hypervisor.log");

    /// <summary>The logs of consoles that are given no other path.</summary>
    public string ConsoleLogFolder => Path.Combine(LogFolder, "console");

    /// <summary>What outlives xend: managed domains and their disks' overlays.</summary>
    public string StateFolder { get; init; } = Path.Combine(RuntimeFolder, "state");

    /// <summary>Held locked while a xend uses the state.</summary>
    public string StateLock => Path.Combine(StateFolder, "lock");

    /// <summary>The configurations of managed domains, a file each.</summary>
    public string DomainFolder => Path.Combine(StateFolder, "domains");

    /// <summary>What domains have written to disks that are copied on write.</summary>
    public string OverlayFolder => Path.Combine(StateFolder, "overlays");

    /// <summary>The configurations in it are started with xend: of the user's own folder, not of the one for all users. Null: there is none.</summary>
    public string? AutoFolder => ConfigFolders.Count > 0 ? Path.Combine(ConfigFolders[0], "auto") : null;

    /// <summary>Whether there are managed domains, running or not.</summary>
    public bool HasManagedDomains => Directory.Exists(DomainFolder) && Directory.EnumerateFiles(DomainFolder, "*.json").Any();

    /// <summary>Core dumps that are given no other path.</summary>
    public string DumpFolder { get; init; } = Path.Combine(LogFolder, "dump");

    /// <summary>Certificates and keys of xend and its clients over TCP.</summary>
    public string TlsFolder { get; init; } = Path.Combine(ConfigFolders.Count > 0 ? ConfigFolders[0] : RuntimeFolder, "tls");

    /// <summary>
    /// The folders of the user who runs us. XEN_RUNTIME_DIR, XEN_LOG_DIR, XEN_STATE_DIR, XEN_CONFIG_DIR and XEN_TLS_DIR, where set, come before all rules.
    /// A XEN_RUNTIME_DIR makes a xend of its own: its state is in there, too, unless XEN_STATE_DIR says otherwise.
    /// </summary>
    public static XenPaths ForUser()
    {
        bool root = Environment.IsPrivilegedProcess;
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string runtime = root ? "/run/xen"
            : Variable("XDG_RUNTIME_DIR") is { } run ? Path.Combine(run, "xen")
            : $"/tmp/xen-{Environment.UserName}";
        string log = root ? "/var/log/xen" : Path.Combine(Variable("XDG_STATE_HOME") ?? Path.Combine(home, ".local/state"), "xen/log");
        string config = Path.Combine(Variable("XDG_CONFIG_HOME") ?? Path.Combine(home, ".config"), "xen");
        string state = Variable("XEN_RUNTIME_DIR") is { } own ? Path.Combine(own, "state") : root ? "/var/lib/xen" : Path.GetDirectoryName(log)!;
        IReadOnlyList<string> configs = Variable("XEN_CONFIG_DIR") is { } only ? [only] : root ? ["/etc/xen"] : [config, "/etc/xen"];
        return new XenPaths(Variable("XEN_RUNTIME_DIR") ?? runtime, Variable("XEN_LOG_DIR") ?? log, configs)
        {
            StateFolder = Variable("XEN_STATE_DIR") ?? state,
            TlsFolder = Variable("XEN_TLS_DIR") ?? Path.Combine(configs[0], "tls"),
            DumpFolder = Variable("XEN_LOG_DIR") is { } folder ? Path.Combine(folder, "dump") : root ? "/var/lib/xen/dump" : Path.Combine(Path.GetDirectoryName(log)!, "dump"),
            DefaultStoreSocket = root && Variable("XEN_RUNTIME_DIR") is null ? "/run/xenstored/socket" : null,
        };
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
