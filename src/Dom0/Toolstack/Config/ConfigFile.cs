namespace Xen.Toolstack;

/// <summary>
/// A configuration file with its command-line overrides: keys and values with their places, checked against the known keys.
/// <see cref="DomainConfigReader"/> makes a <see cref="DomainConfig"/> of it.
/// </summary>
public sealed class ConfigFile
{
    private const int MostBytes = 1 << 20;

    private readonly Dictionary<string, Entry> _entries = [];
    private readonly List<string> _warnings = [];

    private ConfigFile(string path, string workingFolder) => (Path, WorkingFolder) = (path, workingFolder);

    /// <summary>The file's absolute path.</summary>
    public string Path { get; }

    /// <summary>Where relative paths of the command line begin.</summary>
    public string WorkingFolder { get; }

    /// <summary>What the user should know, one sentence each.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Reads a file and applies <c>key=value</c> overrides; of several for one key the last wins.</summary>
    /// <exception cref="ToolstackException">The file cannot be read, is no configuration, or has a key nobody knows.</exception>
    public static ConfigFile Load(string path, IEnumerable<string> overrides)
    {
        string full = System.IO.Path.GetFullPath(path);
        ConfigFile file = new(full, Environment.CurrentDirectory);
        file.ReadAssignments(ReadText(path, full), path);
        file.Override(overrides);
        return file;
    }

    /// <summary>The same, from text; <paramref name="path"/> is what messages call it.</summary>
    /// <param name="text">The file's content.</param>
    /// <param name="path">Its path.</param>
    /// <param name="overrides">As for <see cref="Load"/>.</param>
    /// <param name="workingFolder">Where relative paths begin, that of the file included; null: in the current folder.</param>
    public static ConfigFile Parse(string text, string path, IEnumerable<string> overrides, string? workingFolder = null)
    {
        workingFolder ??= Environment.CurrentDirectory;
        ConfigFile file = new(System.IO.Path.GetFullPath(path, workingFolder), workingFolder);
        file.ReadAssignments(text, path);
        file.Override(overrides);
        return file;
    }

    internal Entry? Find(string key) => _entries.TryGetValue(key, out Entry? entry) && entry.Value is not NoneValue ? entry : null;

    internal void Warn(string where, string warning) => _warnings.Add(where + ": " + warning);

    private static string ReadText(string path, string full)
    {
        try
        {
            if (Directory.Exists(full))
                throw new ToolstackException($"{path} is a folder: give a configuration file.");
            using FileStream stream = File.OpenRead(full);
            if (stream.Length > MostBytes)
                throw new ToolstackException($"{path} has {stream.Length} bytes and is no configuration file: those have {MostBytes} at most.");
            using StreamReader reader = new(stream);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ToolstackException($"{path} does not exist: give the path of a configuration file, for example examples/debian.cfg.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ToolstackException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private void ReadAssignments(string text, string path)
    {
        ConfigDocument document;
        try
        {
            document = ConfigParser.Parse(text);
        }
        catch (ConfigSyntaxException e)
        {
            throw new ToolstackException($"{path}:{e.Where.Line}:{e.Where.Column}: {e.Message}", e);
        }

        foreach (ConfigAssignment assignment in document.Assignments)
        {
            string where = $"{path}:{assignment.Where.Line}";
            // What another value was put together from is the author's variable, whatever its name.
            if (assignment.Name[0] == '_' || (document.Referenced.Contains(assignment.Name) && !IsKnown(assignment.Name)))
                continue;
            Set(assignment.Name, new Entry(assignment.Name, assignment.Value, null, where));
        }
    }

    private void Override(IEnumerable<string> overrides)
    {
        foreach (string text in overrides)
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new ToolstackException($"'{text}' on the command line is not key=value, as in memory=512.");
            string raw = text[(equals + 1)..];
            ConfigValue value = ConfigParser.TryParseLiteral(raw) ?? new StringValue(raw);
            Set(text[..equals].Trim(), new Entry(text[..equals].Trim(), value, raw, "command line"));
        }
    }

    private static bool IsKnown(string key) => ConfigKeys.Supported.Contains(key) || ConfigKeys.NotYet.Contains(key);

    private void Set(string key, Entry entry)
    {
        if (!IsKnown(key))
        {
            string? nearest = ConfigKeys.Nearest(key);
            throw new ToolstackException($"{entry.Where}: '{key}' is no configuration key" +
                (nearest is null ? "; xmdomain.cfg(5) lists them." : $"; did you mean '{nearest}'?"));
        }

        if (ConfigKeys.NotYet.Contains(key) && entry.Value is not (NoneValue or ListValue { Items.Count: 0 } or StringValue { Value: "" }))
            Warn(entry.Where, $"'{key}' is not supported yet and has no effect.");
        _entries[key] = entry;
    }

    /// <summary>A key's value and where it was given. Raw is there for the command line only: the text as typed, before it was taken for a literal.</summary>
    internal sealed record Entry(string Key, ConfigValue Value, string? Raw, string Where)
    {
        public ToolstackException Wrong(string expected) =>
            new($"{Where}: {Key} must be {expected}, and is {Describe()}.");

        private string Describe()
        {
            string text = Value.ToString() ?? "";
            return text.Length <= 40 ? $"{Value.Kind} ({text})" : Value.Kind;
        }
    }
}
