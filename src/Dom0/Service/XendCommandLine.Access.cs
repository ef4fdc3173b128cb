using System.CommandLine;
using System.Net;
using Xen.Contract;

namespace Xen.Service;

/// <summary>The options about who may come, and by which way.</summary>
internal sealed partial class XendCommandLine
{
    private readonly Option<string?> _socketGroup = new("--socket-group") { Description = "A group whose members may do everything, over the Unix socket.", HelpName = "GROUP" };
    private readonly Option<string?> _readersGroup = new("--readers-group") { Description = "A group whose members may look and change nothing, over the Unix socket.", HelpName = "GROUP" };
    private readonly Option<string?> _listen = new("--listen") { Description = "Also listen there, for clients with certificates; * is every address.", HelpName = "ADDRESS:PORT" };
    private readonly Option<string?> _tlsCert = new("--tls-cert") { Description = "The server's certificate (server.crt where xm cert makes it).", HelpName = "FILE" };
    private readonly Option<string?> _tlsKey = new("--tls-key") { Description = "Its key (server.key there).", HelpName = "FILE" };
    private readonly Option<string?> _tlsCa = new("--tls-ca") { Description = "The CA of clients' certificates (ca.crt there).", HelpName = "FILE" };

    /// <summary>What is wrong with them, if anything.</summary>
    private string? WrongAccess(ParseResult parsed)
    {
        if (parsed.GetValue(_listen) is { } listen)
            return TlsOptions.TryParse(listen, out _) ? null : $"'{listen}' is not ADDRESS:PORT, such as 127.0.0.1:9443, [::1]:9443 or *:9443.";
        return TlsFileOptions.FirstOrDefault(option => parsed.GetValue(option) is not null) is { } lonely ? $"{lonely.Name} is for --listen, which is not given." : null;
    }

    /// <exception cref="IOException">A certificate is not fit for use.</exception>
    /// <exception cref="Toolstack.ToolstackException">There is no such group.</exception>
    private XendOptions ReadAccess(ParseResult parsed, XendOptions options) => options with
    {
        SocketGroup = parsed.GetValue(_socketGroup) is { } operators ? UnixGroup.Find(operators) : null,
        ReadersGroup = parsed.GetValue(_readersGroup) is { } readers ? UnixGroup.Find(readers) : null,
        Tls = parsed.GetValue(_listen) is { } listen && TlsOptions.TryParse(listen, out IPEndPoint? endPoint)
            ? new TlsOptions(endPoint, TlsIdentity.Load(Files(parsed, options.Paths), TlsIdentity.ServerAuthentication))
            : null,
    };

    /// <summary>The options again, for the process that stays, whose folder is another.</summary>
    private IEnumerable<string> ForwardedAccess(ParseResult parsed) =>
    [
        .. new[] { _socketGroup, _readersGroup, _listen }.Where(option => parsed.GetValue(option) is not null).Select(option => $"{option.Name}={parsed.GetValue(option)}"),
        .. TlsFileOptions.Where(option => parsed.GetValue(option) is not null).Select(option => $"{option.Name}={Path.GetFullPath(parsed.GetValue(option)!)}"),
    ];

    private Option<string?>[] TlsFileOptions => [_tlsCert, _tlsKey, _tlsCa];

    private TlsFiles Files(ParseResult parsed, XenPaths paths)
    {
        var preset = TlsFiles.In(paths.TlsFolder, TlsFiles.Server);
        return new TlsFiles(parsed.GetValue(_tlsCert) ?? preset.Certificate, parsed.GetValue(_tlsKey) ?? preset.Key, parsed.GetValue(_tlsCa) ?? preset.Authority);
    }
}
