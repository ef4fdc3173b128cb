using System.CommandLine;
using Xen.Contract;

namespace Xen.Xm;

/// <summary>The options that every verb has, before it or behind it: which xend to work with.</summary>
internal sealed class RemoteOptions
{
    private readonly Option<string?> _connect = New("--connect", "[NAME@]HOST:PORT", "Work with the xend that listens there (xend --listen), by NAME's certificate (operator); preset: XEN_CONNECT.");
    private readonly Option<string?> _cert = New("--tls-cert", "FILE", "Show this certificate there, instead of NAME.crt in the folder of certificates.");
    private readonly Option<string?> _key = New("--tls-key", "FILE", "Its key, instead of NAME.key.");
    private readonly Option<string?> _ca = New("--tls-ca", "FILE", "The CA that the server's certificate must be from, instead of ca.crt.");

    public RemoteOptions(RootCommand root)
    {
        foreach (Option option in new[] { _connect, _cert, _key, _ca })
            root.Add(option);
    }

    /// <summary>How many words of these options stand before the verb.</summary>
    public static int CountBefore(IReadOnlyList<string> arguments)
    {
        int count = 0;
        while (count < arguments.Count && arguments[count].Split('=')[0] is "--connect" or "--tls-cert" or "--tls-key" or "--tls-ca")
            count += arguments[count].Contains('=', StringComparison.Ordinal) ? 1 : 2;
        return Math.Min(count, arguments.Count);
    }

    /// <summary>What they say, and the environment where they say nothing. An empty address is the user's own xend.</summary>
    /// <exception cref="UsageException">The address is none.</exception>
    public RemoteXend? Read(ParseResult parsed, XmContext context)
    {
        string? text = parsed.GetValue(_connect) ?? context.PresetAddress;
        if (string.IsNullOrEmpty(text))
        {
            return new[] { _cert, _key, _ca }.FirstOrDefault(option => parsed.GetValue(option) is not null) is { } lonely
                ? throw new UsageException($"{lonely.Name} is for --connect, which is not given.")
                : null;
        }

        if (!XendAddress.TryParse(text, out XendAddress? address))
            throw new UsageException($"'{text}' is no address of a xend: it is written HOST:PORT or NAME@HOST:PORT, as in reader@xen.example.org:9443.");
        var preset = TlsFiles.In(context.Paths.TlsFolder, address.Client);
        return new RemoteXend(address, new TlsFiles(parsed.GetValue(_cert) ?? preset.Certificate, parsed.GetValue(_key) ?? preset.Key, parsed.GetValue(_ca) ?? preset.Authority));
    }

    private static Option<string?> New(string name, string value, string description) => new(name) { Description = description, HelpName = value, Recursive = true };
}
