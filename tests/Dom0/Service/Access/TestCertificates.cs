using System.Net;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;
using Xen.Contract;
using Xen.Service;
using Xen.Xm;

namespace Xen.Dom0.Tests.Service;

/// <summary>A CA, a server and clients, in a folder of the test's own.</summary>
internal sealed class TestCertificates : IDisposable
{
    private static readonly TimeSpan Validity = TimeSpan.FromDays(1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("xen-tls-");
    private readonly CertificateAuthority _authority;

    /// <param name="serverNames">What the server's certificate is for.</param>
    public TestCertificates(params string[] serverNames)
    {
        Files = new CertificateFolder(Folder);
        using (X509Certificate2 made = CertificateAuthority.Create())
            Files.Write("ca", made);
        _authority = Files.OpenAuthority();
        Add("server", _authority.IssueServer(serverNames.Length > 0 ? serverNames : ["localhost", "127.0.0.1", "::1"], Validity));
        Add("operator", _authority.IssueClient("operator", "operator", Validity));
        Add("reader", _authority.IssueClient("reader", "reader", Validity));
        Add("norole", _authority.IssueClient("norole", "cleaner", Validity));
        Add("expired", _authority.IssueClient("expired", "operator", -TimeSpan.FromHours(1)));
        Add("expired-server", _authority.IssueServer(["localhost", "127.0.0.1"], -TimeSpan.FromHours(1)));
    }

    public string Folder => _folder.FullName;

    public CertificateFolder Files { get; }

    public TlsFiles Of(string name) => TlsFiles.In(Folder, name);

    /// <summary>How clients verify the server.</summary>
    public X509ChainPolicy ServerPolicy => TlsIdentity.Load(Of("operator"), TlsIdentity.ClientAuthentication).NewPolicy(TlsIdentity.ServerAuthentication);

    /// <summary>Has a xend listen on a free port of this host.</summary>
    public XendOptions Listen(XendOptions options) => options with
    {
        Tls = new TlsOptions(new IPEndPoint(IPAddress.Loopback, 0), TlsIdentity.Load(Of("server"), TlsIdentity.ServerAuthentication)),
    };

    /// <summary>A client that asks nobody whether its certificate will do.</summary>
    /// <param name="port">Of the xend.</param>
    /// <param name="name">Whose certificate; null: none.</param>
    public GrpcChannel Connect(int port, string? name) =>
        GrpcChannel.ForAddress($"https://127.0.0.1:{port}", new GrpcChannelOptions { HttpHandler = NewHandler(name), DisposeHttpClient = true });

    /// <summary>A client that speaks HTTP and nothing more.</summary>
    public HttpClient ConnectPlainly(string name) => new(NewHandler(name));

    private SocketsHttpHandler NewHandler(string? name)
    {
        var handler = new SocketsHttpHandler();
        handler.SslOptions.CertificateChainPolicy = ServerPolicy;
        if (name is not null)
        {
            X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(Of(name).Certificate, Of(name).Key);
            handler.SslOptions.ClientCertificateContext = System.Net.Security.SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
        }

        return handler;
    }

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Delete(recursive: true);
    }

    private void Add(string name, X509Certificate2 certificate)
    {
        using (certificate)
            Files.Write(name, certificate);
    }
}
