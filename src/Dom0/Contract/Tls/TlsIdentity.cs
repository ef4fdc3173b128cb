using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Xen.Contract;

/// <summary>A certificate with its key, and whom its owner trusts: read from files, and looked through before anybody relies on them.</summary>
public sealed class TlsIdentity
{
    /// <summary>What certificates are for, by their extended key usage. <b>Source</b>: RFC 5280, 4.2.1.12.</summary>
    public const string ServerAuthentication = "1.3.6.1.5.5.7.3.1", ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    private const int MostBytes = 1 << 20;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private readonly X509Certificate2Collection _authorities;

    private TlsIdentity(TlsFiles files, SslStreamCertificateContext context, X509Certificate2Collection authorities) => (Files, Context, _authorities) = (files, context, authorities);

    /// <summary>Where it is from.</summary>
    public TlsFiles Files { get; }

    /// <summary>The certificate, its key, and the certificates that go with it.</summary>
    public SslStreamCertificateContext Context { get; }

    /// <summary>Reads and checks all three files.</summary>
    /// <param name="files">The files.</param>
    /// <param name="purpose">What the certificate must be for: <see cref="ServerAuthentication"/> or <see cref="ClientAuthentication"/>.</param>
    /// <exception cref="IOException">A file is missing or unreadable, has expired, does not fit the others, or the key is not kept to its owner.</exception>
    public static TlsIdentity Load(TlsFiles files, string purpose)
    {
        X509Certificate2Collection chain = ReadCertificates(files.Certificate);
        X509Certificate2 own = chain[0];
        CheckTime(own, files.Certificate);
        if (!IsFor(own, purpose))
            throw new IOException($"{files.Certificate} is no certificate for {(purpose == ServerAuthentication ? "a server" : "a client")}: its extended key usage says so.");
        X509Certificate2 withKey = ReadKey(own, files.Key, files.Certificate);
        X509Certificate2Collection authorities = ReadCertificates(files.Authority);
        foreach (X509Certificate2 authority in authorities)
        {
            CheckTime(authority, files.Authority);
            if (authority.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault() is not { CertificateAuthority: true })
                throw new IOException($"{files.Authority} has a certificate of none that may sign others ({authority.Subject}): name the CA's own.");
        }

        chain.RemoveAt(0);
        return new TlsIdentity(files, SslStreamCertificateContext.Create(withKey, chain, offline: true), authorities);
    }

    /// <summary>How the other end's certificate is verified: it must be from one of our CAs and from no other, and be for its purpose.</summary>
    /// <remarks>There is no revocation: a CA of one's own has no service for that. Who shall not come in any more gets no new certificate, or there is a new CA.</remarks>
    public X509ChainPolicy NewPolicy(string purpose)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(_authorities);
        policy.ApplicationPolicy.Add(new Oid(purpose));
        return policy;
    }

    /// <summary>Whether a certificate names a purpose. One that names none at all is for no purpose here.</summary>
    public static bool IsFor(X509Certificate2 certificate, string purpose) =>
        certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>().Any(usage => usage.EnhancedKeyUsages.Cast<Oid>().Any(oid => oid.Value == purpose));

    private static X509Certificate2Collection ReadCertificates(string file)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(Read(file));
        }
        catch (CryptographicException e)
        {
            throw new IOException($"{file} is damaged, or has no certificate in PEM: {e.Message}", e);
        }

        return certificates.Count > 0 ? certificates : throw new IOException($"{file} has no certificate in PEM (-----BEGIN CERTIFICATE-----).");
    }

    private static X509Certificate2 ReadKey(X509Certificate2 certificate, string file, string certificateFile)
    {
        string text = Read(file);
        if ((File.GetUnixFileMode(file) & Others) != 0)
            throw new IOException($"the key {file} is open to others: chmod 600 {file}");
        if (text.Contains("-----BEGIN ENCRYPTED PRIVATE KEY", StringComparison.Ordinal))
            throw new IOException($"the key {file} has a password, which nobody is there to type: store it without one (openssl pkey), with mode 600.");
        if (!text.Contains("PRIVATE KEY-----", StringComparison.Ordinal))
            throw new IOException($"{file} has no private key in PEM (-----BEGIN PRIVATE KEY-----).");
        try
        {
            return X509Certificate2.CreateFromPem(certificate.ExportCertificatePem(), text);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new IOException($"{file} is not the key of the certificate {certificateFile}: name the two that belong together ({e.Message})", e);
        }
    }

    private static string Read(string file)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read);
            if (stream.Length > MostBytes)
                throw new IOException($"{file} has {stream.Length} bytes, and is no certificate or key.");
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new IOException($"there is no {file}: xm cert makes certificates and keys, and xm(1) says which files go where.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"{file} cannot be read: {e.Message}", e);
        }
    }

    private static void CheckTime(X509Certificate2 certificate, string file)
    {
        DateTime now = DateTime.Now;
        if (now > certificate.NotAfter)
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"the certificate {file} has expired ({certificate.NotAfter:yyyy-MM-dd HH:mm}): xm cert makes new ones."));
        if (now < certificate.NotBefore)
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"the certificate {file} is not valid before {certificate.NotBefore:yyyy-MM-dd HH:mm}: is this machine's clock right?"));
    }
}
