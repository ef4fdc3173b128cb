using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>
/// Where xm finds and keeps files: the user's own folders by the XDG rules, for root Xen's.
/// </summary>
/// <param name="RuntimeFolder">Control sockets of running domains.</param>
/// <param name="LogFolder">Logs of hypervisor and consoles.</param>
/// <param name="ConfigFolders">Where a configuration file is looked for that is not in the current folder.</param>
internal sealed record XmPaths(string RuntimeFolder, string LogFolder, IReadOnlyList<string> ConfigFolders)
{
    /// <summary>The folders of the user who runs us. XEN_RUNTIME_DIR and XEN_LOG_DIR, where set, come before all rules.</summary>
    public static XmPaths ForUser()
    {
        bool root = Environment.IsPrivilegedProcess;
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string runtime = root ? "/run/xen"
            : Variable("XDG_RUNTIME_DIR") is { } run ? Path.Combine(run, "xen")
            : $"/tmp/xen-{Environment.UserName}";
        string log = root ? "/var/log/xen" : Path.Combine(Variable("XDG_STATE_HOME") ?? Path.Combine(home, ".local/state"), "xen/log");
        string config = Path.Combine(Variable("XDG_CONFIG_HOME") ?? Path.Combine(home, ".config"), "xen");
        return new XmPaths(
            Variable("XEN_RUNTIME_DIR") ?? runtime,
            Variable("XEN_LOG_DIR") ?? log,
            root ? ["/etc/xen"] : [config, "/etc/xen"])
        {
            DefaultStoreSocket = root && Variable("XEN_RUNTIME_DIR") is null ? "/run/xenstored/socket" : null,
        };
    }

    /// <summary>The control socket of a domain.</summary>
    public string SocketOf(string domain) => Path.Combine(RuntimeFolder, domain + ".sock");

    /// <summary>The socket of the xenstore that a domain's machine has.</summary>
    public string StoreSocketOf(string domain) => Path.Combine(RuntimeFolder, domain + ".xenstored");

    /// <summary>Where xenstore's tools look for a socket when XENSTORED_PATH is not set; null if we may not or shall not use it.</summary>
    public string? DefaultStoreSocket { get; init; }

    /// <summary>Held locked while a domain of that name runs.</summary>
    public string LockOf(string domain) => Path.Combine(RuntimeFolder, domain + ".lock");

    /// <summary>The hypervisor's log of the machine that a domain runs on.</summary>
    public string HypervisorLogOf(string domain) => Path.Combine(LogFolder, $"hypervisor-{domain}.log");

    /// <summary>The logs of consoles that are given no other path.</summary>
    public string ConsoleLogFolder => Path.Combine(LogFolder, "console");

    /// <summary>Makes a folder that nobody else can write to.</summary>
    /// <exception cref="ToolstackException">It cannot be made, or is somebody else's.</exception>
    public static void MakePrivate(string folder)
    {
        const UnixFileMode mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        try
        {
            DirectoryInfo made = Directory.CreateDirectory(folder, mine);
            if (made.LinkTarget is not null)
                throw new ToolstackException($"{folder} is a symbolic link: remove it, or set XEN_RUNTIME_DIR to a folder of your own.");
            // In /tmp somebody else could have been there first; only the owner may close the folder to others.
            if ((made.UnixFileMode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != 0)
                made.UnixFileMode = mine;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ToolstackException($"the folder {folder} cannot be used: {e.Message} Set XEN_RUNTIME_DIR or XEN_LOG_DIR to a folder of your own.", e);
        }
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
