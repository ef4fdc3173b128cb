using System.Security.Cryptography;
using Xen.Contract;

namespace Xen.Dom0.Tests.Service;

/// <summary>Certificates that are not fit for use are told apart before anybody listens or connects with them.</summary>
public sealed class TlsIdentityTests : IDisposable
{
    private readonly TestCertificates _certificates = new();

    public void Dispose() => _certificates.Dispose();

    [Fact]
    public void GoodFiles_AreRead()
    {
        Assert.True(TlsIdentity.Load(_certificates.Of("server"), TlsIdentity.ServerAuthentication).Context.TargetCertificate.HasPrivateKey);
        Assert.Equal("OU=reader, CN=reader", TlsIdentity.Load(_certificates.Of("reader"), TlsIdentity.ClientAuthentication).Context.TargetCertificate.Subject);
    }

    [Fact]
    public void WhatIsWrong_IsSaidWithTheFile()
    {
        TlsFiles good = _certificates.Of("server");
        string folder = _certificates.Folder;
        Refused(good with { Certificate = Path.Combine(folder, "none.crt") }, $"there is no {folder}/none.crt: xm cert makes");
        Refused(good with { Key = Path.Combine(folder, "none.key") }, $"there is no {folder}/none.key: xm cert makes");
        Refused(good with { Authority = "/none/ca.crt" }, "there is no /none/ca.crt: xm cert makes");
        Refused(good with { Key = _certificates.Of("operator").Key }, $"{folder}/operator.key is not the key of the certificate {folder}/server.crt");
        Refused(good with { Certificate = good.Key }, "has no certificate in PEM");
        Refused(good with { Key = good.Certificate, }, "is open to others: chmod 600");
        Refused(good with { Authority = good.Certificate }, "that may sign others");
        Refused(good with { Certificate = folder }, folder);
        Refused(_certificates.Of("expired-server"), "has expired (2");
        Refused(_certificates.Of("operator"), "is no certificate for a server");
        Assert.Contains("is no certificate for a client", Assert.Throws<IOException>(() => TlsIdentity.Load(good, TlsIdentity.ClientAuthentication)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void KeysThatOthersMayRead_AreRefused()
    {
        TlsFiles good = _certificates.Of("server");
        foreach (UnixFileMode mode in new[] { UnixFileMode.GroupRead, UnixFileMode.OtherRead, UnixFileMode.OtherWrite })
        {
            File.SetUnixFileMode(good.Key, UnixFileMode.UserRead | UnixFileMode.UserWrite | mode);
            Refused(good, $"the key {good.Key} is open to others: chmod 600 {good.Key}");
        }
    }

    [Fact]
    public void KeysWithoutUse_AreRefused()
    {
        TlsFiles good = _certificates.Of("server");
        using (var key = ECDsa.Create())
        {
            key.ImportFromPem(File.ReadAllText(good.Key));
            File.WriteAllText(good.Key, key.ExportEncryptedPkcs8PrivateKeyPem("secret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
        }

        Refused(good, "has a password");
        File.WriteAllText(good.Key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        Refused(good, "is not the key of the certificate");
        File.WriteAllText(good.Key, "");
        Refused(good, "has no private key in PEM");
        File.WriteAllText(good.Certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        Refused(good, "is damaged, or has no certificate in PEM");
    }

    [Theory]
    [InlineData("xen.example.org:9443", "operator", "xen.example.org:9443")]
    [InlineData("tls://reader@127.0.0.1:1", "reader", "127.0.0.1:1")]
    [InlineData("a.b-c_1@[::1]:65535", "a.b-c_1", "[::1]:65535")]
    public void Addresses_AreRead(string text, string client, string address)
    {
        Assert.True(XendAddress.TryParse(text, out XendAddress? read));
        Assert.Equal((client, address), (read.Client, read.ToString()));
    }

    [Theory]
    [InlineData("xen.example.org")]
    [InlineData(":9443")]
    [InlineData("host:0")]
    [InlineData("host:65536")]
    [InlineData("::1:9443")]
    [InlineData("[host]:9443")]
    [InlineData("../../etc/passwd@host:1")]
    [InlineData("@host:1")]
    [InlineData("-x@host:1")]
    [InlineData("http://host:1")]
    public void OtherThings_AreNoAddresses(string text) => Assert.False(XendAddress.TryParse(text, out _));

    private static void Refused(TlsFiles files, string said) =>
        Assert.Contains(said, Assert.ThrowsAny<IOException>(() => TlsIdentity.Load(files, TlsIdentity.ServerAuthentication)).Message, StringComparison.Ordinal);
}
