using System.CommandLine;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Xen.Contract;

namespace Xen.Xm;

/// <summary><c>xm cert</c>: certificates for xend over TCP and its clients, from a CA of one's own.</summary>
internal sealed class CertCommand(XmContext context)
{
    private const string Operator = "operator", Reader = "reader";
    private const int PresetDays = 365;

    private readonly Option<string?> _folder = new("--folder") { Description = "Where they are kept; preset: XEN_TLS_DIR, else the folder tls beside configurations.", HelpName = "DIR" };
    private readonly Option<string[]> _names = new("--name") { Description = "A name or address of the server, beside localhost and this host's name; may be repeated.", HelpName = "HOST" };
    private readonly Option<int> _days = new("--days") { Description = "How long they are valid (365).", DefaultValueFactory = static _ => PresetDays, HelpName = "N" };
    private readonly Option<bool> _force = new("--force") { Description = "Replace what is there." };
    private readonly Option<bool> _server = new("--server") { Description = "Only make a server's certificate, from the CA that is there." };
    private readonly Option<string?> _client = new("--client") { Description = "Only make a client's certificate of this name, from the CA that is there.", HelpName = "NAME" };
    private readonly Option<string?> _role = new("--role") { Description = "What that client may do: operator (everything) or reader (look).", HelpName = "ROLE" };

    public Command Build()
    {
        Command command = new("cert", "Make certificates for xend --listen and its clients.") { _folder, _names, _days, _force, _server, _client, _role };
        command.SetAction((parsed, _) => Task.FromResult(Run(parsed)));
        return command;
    }

    private int Run(ParseResult parsed)
    {
        Check(parsed);
        var folder = new CertificateFolder(Path.GetFullPath(parsed.GetValue(_folder) ?? context.Paths.TlsFolder));
        bool server = parsed.GetValue(_server);
        string? client = parsed.GetValue(_client);
        bool all = !server && client is null;
        string[] files = all ? [TlsFiles.CertificateAuthority, TlsFiles.Server, Operator, Reader] : server ? [TlsFiles.Server] : [client!];
        if (!parsed.GetValue(_force) && folder.Taken(files).FirstOrDefault() is { } taken)
        {
            throw new XmException($"{folder.Path} has {taken} already: --force replaces it{(all ? ", and nothing that the old CA made is accepted then; --client and --server make more from the old one" : "")}.");
        }

        if (all)
        {
            using X509Certificate2 made = CertificateAuthority.Create();
            folder.Write(TlsFiles.CertificateAuthority, made);
        }

        using CertificateAuthority authority = folder.OpenAuthority();
        var validity = TimeSpan.FromDays(parsed.GetValue(_days));
        string[] names = ServerNames(parsed.GetValue(_names) ?? []);
        if (client is not null)
            Write(folder, client, authority.IssueClient(client, parsed.GetValue(_role)!, validity));
        if (all || server)
            Write(folder, TlsFiles.Server, authority.IssueServer(names, validity));
        foreach (string role in all ? [Operator, Reader] : Array.Empty<string>())
            Write(folder, role, authority.IssueClient(role, role, validity));
        Explain(folder.Path, files, names, all, server, client);
        return ExitCode.Ok;
    }

    private void Check(ParseResult parsed)
    {
        if (parsed.GetValue(_days) is < 1 or > CertificateAuthority.Days)
            throw new UsageException($"--days must be from 1 to {CertificateAuthority.Days}.");
        if (parsed.GetValue(_client) is { } client)
        {
            if (!XendAddress.IsFileName(client) || client is TlsFiles.CertificateAuthority or TlsFiles.Server)
                throw new UsageException($"'{client}' can be no client's name: letters, digits, '.', '-' and '_' can, and not {TlsFiles.CertificateAuthority} or {TlsFiles.Server}.");
            if (parsed.GetValue(_role) is not (Operator or Reader))
                throw new UsageException("--client needs a --role: operator or reader.");
            if (parsed.GetValue(_server) || parsed.GetValue(_names) is { Length: > 0 })
                throw new UsageException("--server and --name are for the server's certificate: make the client's in another command.");
        }
        else if (parsed.GetValue(_role) is not null)
        {
            throw new UsageException("--role is for --client, which is not given.");
        }

        if ((parsed.GetValue(_names) ?? []).FirstOrDefault(static name => Uri.CheckHostName(name) is UriHostNameType.Unknown or UriHostNameType.Basic) is { } wrong)
            throw new UsageException($"'{wrong}' is no host's name or IP address.");
    }

    private static string[] ServerNames(string[] given)
    {
        IEnumerable<string> all = [.. given, "localhost", "127.0.0.1", "::1", Dns.GetHostName()];
        return [.. all.Where(static name => Uri.CheckHostName(name) is not (UriHostNameType.Unknown or UriHostNameType.Basic)).Distinct(StringComparer.OrdinalIgnoreCase)];
    }

    private static void Write(CertificateFolder folder, string name, X509Certificate2 certificate)
    {
        using (certificate)
            folder.Write(name, certificate);
    }

    private void Explain(string folder, string[] files, string[] names, bool all, bool server, string? client)
    {
        context.Out.WriteLine($"Made in {folder}: {string.Join(", ", files.Select(static file => $"{file}.crt and {file}.key"))}.");
        if (all || server)
            context.Out.WriteLine($"The server's is for {string.Join(", ", names)}.");
        string variable = folder == context.Paths.TlsFolder ? "" : $"XEN_TLS_DIR={folder} ";
        if (all || server)
            context.Out.WriteLine($"  {variable}xend --listen '*:9443'");
        if (!server)
            context.Out.WriteLine($"  {variable}xm --connect {(client is null ? "" : client + "@")}{names[0]}:9443 list");
        if (!server)
            context.Out.WriteLine($"A client on another host needs {TlsFiles.CertificateAuthority}.crt and its own .crt and .key; ca.key stays here.");
    }
}
