using System.Security.Cryptography.X509Certificates;
using Xen.Contract;

namespace Xen.Dom0.Tests.Xm;

/// <summary><c>xm cert</c>: what it makes, and what it does not overwrite.</summary>
public sealed class CertCommandTests
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    [Fact]
    public async Task Cert_MakesWhatXendAndClientsNeed()
    {
        using XmRun xm = new();
        (int code, string output, string error) = await xm.AskAsync("cert", "--name", "xen.example.org", "--name=192.0.2.7", "--days", "30");
        Assert.Equal((0, ""), (code, error));
        string folder = xm.Paths.TlsFolder;
        Assert.Contains($"Made in {folder}: ca.crt and ca.key, server.crt and server.key, operator.crt and operator.key, reader.crt and reader.key.", output, StringComparison.Ordinal);
        Assert.Contains("\n  xend --listen '*:9443'\n  xm --connect xen.example.org:9443 list\n", output, StringComparison.Ordinal);
        Assert.All(Directory.GetFiles(folder, "*.key"), static file => Assert.Equal(Private, File.GetUnixFileMode(file)));
        Assert.Equal(8, Directory.GetFiles(folder).Length);

        using X509Certificate2 server = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(folder, "server.crt"));
        Assert.All(["xen.example.org", "192.0.2.7", "localhost", "127.0.0.1", "::1", System.Net.Dns.GetHostName()], name => Assert.True(server.MatchesHostname(name), name));
        Assert.False(server.MatchesHostname("example.org"));
        Assert.InRange(server.NotAfter, DateTime.Now.AddDays(29), DateTime.Now.AddDays(31));
        foreach (string name in new[] { "operator", "reader" })
            Assert.Equal($"OU={name}, CN={name}", TlsIdentity.Load(TlsFiles.In(folder, name), TlsIdentity.ClientAuthentication).Context.TargetCertificate.Subject);
        TlsIdentity.Load(TlsFiles.In(folder, "server"), TlsIdentity.ServerAuthentication);
    }

    [Fact]
    public async Task WhatIsThere_IsKept_UnlessForced()
    {
        using XmRun xm = new();
        await xm.AskAsync("cert");
        string folder = xm.Paths.TlsFolder, before = await File.ReadAllTextAsync(Path.Combine(folder, "ca.key"));
        (int code, string output, string error) = await xm.AskAsync("cert");
        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith($"xm: {folder} has ca.crt already: --force replaces it, and nothing that the old CA made", error, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllTextAsync(Path.Combine(folder, "ca.key")));

        // A link that somebody put there is replaced, not followed.
        string elsewhere = Path.Combine(folder, "elsewhere");
        await File.WriteAllTextAsync(elsewhere, "mine");
        File.Delete(Path.Combine(folder, "ca.key"));
        File.CreateSymbolicLink(Path.Combine(folder, "ca.key"), elsewhere);
        Assert.Equal(0, (await xm.AskAsync("cert", "--force")).Code);
        Assert.NotEqual(before, await File.ReadAllTextAsync(Path.Combine(folder, "ca.key")));
        Assert.Equal("mine", await File.ReadAllTextAsync(elsewhere));
    }

    [Fact]
    public async Task OneMoreClientOrServer_IsFromTheSameCa()
    {
        using XmRun xm = new();
        (int code, _, string error) = await xm.AskAsync("cert", "--client", "alice", "--role", "reader");
        Assert.Equal(1, code);
        Assert.StartsWith($"xm: there is no CA in {xm.Paths.TlsFolder}", error, StringComparison.Ordinal);
        await xm.AskAsync("cert");
        (code, string output, _) = await xm.AskAsync("cert", "--client", "alice", "--role", "reader");
        Assert.Equal(0, code);
        Assert.Contains("  xm --connect alice@localhost:9443 list\n", output, StringComparison.Ordinal);
        var alice = TlsIdentity.Load(TlsFiles.In(xm.Paths.TlsFolder, "alice"), TlsIdentity.ClientAuthentication);
        Assert.Equal("OU=reader, CN=alice", alice.Context.TargetCertificate.Subject);
        using var chain = new X509Chain { ChainPolicy = alice.NewPolicy(TlsIdentity.ClientAuthentication) };
        Assert.True(chain.Build(alice.Context.TargetCertificate));
        Assert.Equal(1, (await xm.AskAsync("cert", "--client", "alice", "--role", "operator")).Code);
        Assert.Equal(1, (await xm.AskAsync("cert", "--server")).Code);
        Assert.Equal(0, (await xm.AskAsync("cert", "--server", "--force", "--name", "new.example.org")).Code);
        using X509Certificate2 server = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(xm.Paths.TlsFolder, "server.crt"));
        Assert.True(server.MatchesHostname("new.example.org"));
    }

    [Theory]
    [InlineData("--days must be from 1 to 3650", "--days", "0")]
    [InlineData("--client needs a --role", "--client", "alice")]
    [InlineData("--client needs a --role", "--client", "alice", "--role", "root")]
    [InlineData("can be no client's name", "--client", "../alice", "--role", "reader")]
    [InlineData("can be no client's name", "--client", "ca", "--role", "reader")]
    [InlineData("--role is for --client", "--role", "reader")]
    [InlineData("is no host's name or IP address", "--name", "a b")]
    [InlineData("--server and --name are for", "--client", "alice", "--role", "reader", "--server")]
    public async Task WrongCommandLines_AreExplained(string said, params string[] arguments)
    {
        using XmRun xm = new();
        (int code, string output, string error) = await xm.AskAsync(["cert", .. arguments]);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(said, error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(xm.Paths.TlsFolder));
    }
}
