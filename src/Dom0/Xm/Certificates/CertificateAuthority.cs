using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Xen.Contract;

namespace Xen.Xm;

/// <summary>A CA of one's own, for a xend and its clients: elliptic keys (P-256), certificates by the profile of RFC 5280.</summary>
internal sealed class CertificateAuthority : IDisposable
{
    /// <summary>How long the CA's own certificate is valid. <b>Units</b>: days.</summary>
    public const int Days = 3650;

    /// <summary>Clocks of other machines may be late.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(5), SlackOfAuthority = TimeSpan.FromDays(1);

    private readonly X509Certificate2 _certificate;

    /// <param name="certificate">The CA's certificate, with its key.</param>
    public CertificateAuthority(X509Certificate2 certificate) => _certificate = certificate;

    /// <summary>Makes a CA, with a key of its own.</summary>
    public static X509Certificate2 Create()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Name("xend test CA " + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)), unit: null), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow - SlackOfAuthority, DateTimeOffset.UtcNow.AddDays(Days));
    }

    /// <summary>Makes a server's certificate.</summary>
    /// <param name="names">DNS names and IP addresses that clients may connect to; one at least.</param>
    /// <param name="validity">How long it is valid from now on; it ends with the CA's at the latest. If negative it has expired so long ago, a day at most.</param>
    public X509Certificate2 IssueServer(IReadOnlyList<string> names, TimeSpan validity)
    {
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (string name in names)
        {
            if (IPAddress.TryParse(name, out IPAddress? address))
                alternatives.AddIpAddress(address);
            else
                alternatives.AddDnsName(name);
        }

        return Issue(Name(names[0], unit: null), TlsIdentity.ServerAuthentication, alternatives.Build(), validity);
    }

    /// <summary>Makes a client's certificate.</summary>
    /// <param name="name">The client, by its common name.</param>
    /// <param name="role">Its role, by its organisational unit.</param>
    /// <param name="validity">As of <see cref="IssueServer"/>.</param>
    public X509Certificate2 IssueClient(string name, string role, TimeSpan validity) => Issue(Name(name, role), TlsIdentity.ClientAuthentication, alternatives: null, validity);

    public void Dispose() => _certificate.Dispose();

    private X509Certificate2 Issue(X500DistinguishedName subject, string purpose, X509Extension? alternatives, TimeSpan validity)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        if (alternatives is not null)
            request.CertificateExtensions.Add(alternatives);

        DateTimeOffset end = DateTimeOffset.UtcNow + validity, last = _certificate.NotAfter;
        DateTimeOffset begin = (validity < TimeSpan.Zero ? end : DateTimeOffset.UtcNow) - Slack;
        using X509Certificate2 bare = request.Create(_certificate, begin, end > last ? last : end, NewSerial());
        return bare.CopyWithPrivateKey(key);
    }

    private static X500DistinguishedName Name(string commonName, string? unit)
    {
        var builder = new X500DistinguishedNameBuilder();
        if (unit is not null)
            builder.AddOrganizationalUnitName(unit);
        builder.AddCommonName(commonName.Length <= 64 ? commonName : commonName[..64]);
        return builder.Build();
    }

    /// <summary>A positive number of 127 bits.</summary>
    private static byte[] NewSerial()
    {
        byte[] serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7f) | 0x40);
        return serial;
    }
}
