using System.Security.Cryptography.X509Certificates;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Xen.Contract.V1;
using Xen.Service;

namespace Xen.Dom0.Tests.Service;

/// <summary>What readers and operators may do, and who is which.</summary>
public sealed class RoleTests
{
    private static readonly UnixGroup Operators = new("operators", 1001), Readers = new("readers", 1002);

    private static IEnumerable<MethodDescriptor> Calls => XendReflection.Descriptor.FindTypeByName<ServiceDescriptor>("Xend").Methods;

    [Fact]
    public void EveryCall_HasARole() => Assert.Equal(Calls.Select(static call => call.Name).Order(StringComparer.Ordinal), CallAccess.Table.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("/xen.xend.v1.Xend/ListDomains", Role.Reader)]
    [InlineData("/xen.xend.v1.Xend/DestroyDomain", Role.Operator)]
    [InlineData("/xen.xend.v1.Xend/FormatDisk", Role.Operator)]
    [InlineData("/other.Service/ListDomains", Role.Operator)]
    [InlineData("/xen.xend.v1.Xend/", Role.Operator)]
    [InlineData("", Role.Operator)]
    internal void WhatIsNotKnown_IsForOperators(string path, Role role) => Assert.Equal(role, CallAccess.Needed(path));

    [Theory]
    [InlineData(0u, new uint[] { 0 }, Role.Operator)]
    [InlineData(4711u, new uint[] { 4711 }, Role.None)]
    [InlineData(4711u, new uint[] { 1001 }, Role.Operator)]
    [InlineData(4711u, new uint[] { 4711, 7, 1001 }, Role.Operator)]
    [InlineData(4711u, new uint[] { 4711, 1002 }, Role.Reader)]
    [InlineData(4711u, new uint[] { 1002, 1001 }, Role.Operator)]
    internal void Peers_HaveTheRolesOfTheirGroups(uint user, uint[] groups, Role role)
    {
        Assert.Equal(role, new UnixAccess(Operators, Readers).RoleOf(new PeerCredentials(1, user, groups)));
        Assert.Equal(user == 0 ? Role.Operator : Role.None, new UnixAccess(null, null).RoleOf(new PeerCredentials(1, user, groups)));
    }

    [Theory]
    [InlineData("OU=operator, CN=a", Role.Operator)]
    [InlineData("CN=a, OU=reader, O=b", Role.Reader)]
    [InlineData("OU=lab, OU=reader, CN=a", Role.Reader)]
    [InlineData("OU=operator, OU=reader, CN=a", Role.None)]
    [InlineData("OU=Operator, CN=a", Role.None)]
    [InlineData("CN=operator", Role.None)]
    [InlineData("CN=\"a, OU=operator\"", Role.None)]
    [InlineData("OU=\"operator \", CN=a", Role.None)]
    internal void Certificates_HaveTheRoleOfTheirUnit(string subject, Role role) => Assert.Equal(role, CertificateRole.RoleOf(new X500DistinguishedName(subject)));

    [Fact]
    public async Task Reader_IsRefusedEveryOperatingCall()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        await xend.CreateAsync("one", xend.WriteIdleKernel());
        using GrpcChannel reader = certificates.Connect(xend.Host.TlsEndPoint!.Port, "reader");
        int refused = 0;
        foreach (MethodDescriptor call in Calls.Where(static call => CallAccess.Table[call.Name] != Role.Reader))
        {
            RpcException fault = await Assert.ThrowsAsync<RpcException>(() => CallAsync(reader, call.Name));
            Assert.Equal(StatusCode.PermissionDenied, fault.StatusCode);
            Assert.Matches($"^'OU=reader, CN=reader' at 127.0.0.1:[0-9]+ may only read, and {call.Name} is for operators\\. .*xm cert", fault.Status.Detail);
            refused++;
        }

        Assert.True(refused > 15);
        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => CallAsync(reader, "NoSuchCall"))).StatusCode);
        Domain one = (await new Xend.XendClient(reader).ListDomainsAsync(new ListDomainsRequest())).Domains.Single(static d => d.Id != 0);
        Assert.Equal(("one", 256, 0), (one.Name, one.Weight, one.Cap));
    }

    [Fact]
    public async Task Reader_MayLook_AndClearsNothing()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        await xend.CreateAsync("one", xend.WriteIdleKernel());
        using GrpcChannel channel = certificates.Connect(xend.Host.TlsEndPoint!.Port, "reader");
        var reader = new Xend.XendClient(channel);
        Assert.Equal(Environment.ProcessId, (await reader.GetInfoAsync(new GetInfoRequest())).ProcessId);
        Assert.Single((await reader.ListVcpusAsync(new ListDomainsRequest())).Domains);
        Assert.Empty((await reader.ListBlockDevicesAsync(new DomainRequest { Domain = "one" })).Devices);
        Assert.Empty((await reader.ListNetworkInterfacesAsync(new DomainRequest { Domain = "one" })).Interfaces);
        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(async () => await reader.WaitDomainAsync(new WaitDomainRequest { Handle = 99 }))).StatusCode);
        using AsyncServerStreamingCall<DomainEvent> events = reader.WatchDomains(new WatchDomainsRequest());
        await events.ResponseHeadersAsync;

        string log = (await reader.ReadLogAsync(new ReadLogRequest())).Text;
        Assert.NotEmpty(log);
        RpcException fault = await Assert.ThrowsAsync<RpcException>(async () => await reader.ReadLogAsync(new ReadLogRequest { Clear = true }));
        Assert.Equal(StatusCode.PermissionDenied, fault.StatusCode);
        Assert.Contains("clearing the log is for operators", fault.Status.Detail, StringComparison.Ordinal);
        Assert.StartsWith(log, (await reader.ReadLogAsync(new ReadLogRequest())).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Reader_FollowsAConsole_AndIsRefusedWhenItTypes(bool atOnce)
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        await xend.CreateAsync("one", xend.WriteTalker("hello from the guest"));
        using GrpcChannel channel = certificates.Connect(xend.Host.TlsEndPoint!.Port, "reader");
        using AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> console = new Xend.XendClient(channel).Console();
        var typed = Google.Protobuf.ByteString.CopyFromUtf8("reboot\n");
        await console.RequestStream.WriteAsync(new ConsoleInput { Open = new ConsoleOpen { Domain = "one" }, Data = atOnce ? typed : Google.Protobuf.ByteString.Empty });
        if (!atOnce)
        {
            string seen = "";
            while (!seen.Contains("hello from the guest\r\n", StringComparison.Ordinal))
            {
                Assert.True(await console.ResponseStream.MoveNext(CancellationToken.None));
                seen += console.ResponseStream.Current.Data.ToStringUtf8();
            }

            await console.RequestStream.WriteAsync(new ConsoleInput { Data = typed });
        }

        RpcException fault = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await console.ResponseStream.MoveNext(CancellationToken.None))
            {
            }
        });
        Assert.Equal(StatusCode.PermissionDenied, fault.StatusCode);
        Assert.Contains("typing at a console is for operators", fault.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CertificateWithoutARole_IsRefusedEverything()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        using GrpcChannel channel = certificates.Connect(xend.Host.TlsEndPoint!.Port, "norole");
        foreach (MethodDescriptor call in Calls)
        {
            RpcException fault = await Assert.ThrowsAsync<RpcException>(() => CallAsync(channel, call.Name));
            Assert.Equal(StatusCode.PermissionDenied, fault.StatusCode);
            Assert.Contains("must have one role, OU=operator or OU=reader", fault.Status.Detail, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("'OU=reader, CN=a' may not: ~", "'OU=reader, CN=a' may not: ~")]
    [InlineData("100 % é\n", "100 %25 %C3%A9%0A")]
    public void Messages_AreEncodedAsGrpcSays(string text, string encoded) => Assert.Equal(encoded, AccessGate.Encode(text));

    [Fact]
    public async Task Refusals_AreLogged_ButNotEndlessly()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        using GrpcChannel channel = certificates.Connect(xend.Host.TlsEndPoint!.Port, "norole");
        for (int i = 0; i < 50; i++)
            await Assert.ThrowsAsync<RpcException>(() => CallAsync(channel, "Stop"));
        string[] refused = [.. (await File.ReadAllLinesAsync(xend.Paths.ServiceLog)).Where(static line => line.Contains("refused: ", StringComparison.Ordinal))];
        Assert.Contains("'OU=cleaner, CN=norole' at 127.0.0.1:", refused[0], StringComparison.Ordinal);
        Assert.InRange(refused.Length, 10, 20);
    }

    private static async Task CallAsync(GrpcChannel channel, string name)
    {
        var bytes = Marshallers.Create(static (byte[] message) => message, static message => message);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "xen.xend.v1.Xend", name, bytes, bytes);
        await channel.CreateCallInvoker().AsyncUnaryCall(method, host: null, new CallOptions(deadline: DateTime.UtcNow + RunningXend.Patience), []);
    }
}
