using System.Diagnostics;
using System.Globalization;
using Xen.Abi;
using Xen.XenStore;
using Xunit.Abstractions;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>
/// Throws messages at the store that are right, nearly right or not at all, from several domains at once, and checks after each round that counts are
/// sound, limits hold and Dom0 gets answers. XEN_FUZZ_SECONDS says how long (5), XEN_FUZZ_SEED from where.
/// </summary>
public sealed class StoreFuzz(ITestOutputHelper output)
{
    private static readonly string[] Words =
        ["", "/", "a", "b", "a/b", "/local/domain/5", "/local/domain/5/a", "/local/domain/6/b", "/tool", "@releaseDomain", "@introduceDomain", "T", "F",
         "n5", "r6", "b5", "w0", "0", "1", "5", "6", "65535", "4294967295", "-1", "//", "a/", "\u0001", "\u00ff", "check", "quota", "x"];

    [Fact]
    public void Hostile_AnyMessages_LeaveTheStoreSound()
    {
        double seconds = double.TryParse(Environment.GetEnvironmentVariable("XEN_FUZZ_SECONDS"), CultureInfo.InvariantCulture, out double s) ? s : 5;
        int seed = int.TryParse(Environment.GetEnvironmentVariable("XEN_FUZZ_SEED"), CultureInfo.InvariantCulture, out int given) ? given : Environment.TickCount;
        output.WriteLine($"XEN_FUZZ_SEED={seed}");
        var random = new Random(seed);
        var quotas = new StoreQuotas { Nodes = 50, Watches = 10, Transactions = 4, TransactionNodes = 30 };
        using var server = new StoreServer(quotas);
        using LocalStorePort dom0 = server.OpenPort(DomId.Dom0);
        foreach (ushort domain in (ushort[])[5, 6])
        {
            dom0.MakeDirectory($"/local/domain/{domain}");
            dom0.SetPermissions($"/local/domain/{domain}", [new(new DomId(domain), Rings.StoreAccess.Read)]);
        }

        FuzzClient[] clients = [.. ((ushort[])[5, 5, 6, 7, 0]).Select(d => server.Connect(new DomId(d), x => new FuzzClient(x)))];
        var watch = Stopwatch.StartNew();
        long messages = 0;
        do
        {
            for (int i = 0; i < 500; i++, messages++)
                Throw(server, clients[random.Next(clients.Length)], random);
            string text = server.Describe(out bool isSound);
            Assert.True(isSound, $"XEN_FUZZ_SEED={seed}: {text}");
            foreach (FuzzClient client in clients.Where(c => c.Quotas is not null))
            {
                Assert.InRange(server.Tree.OwnedBy(client.Domain.Id), 0, 51);
                Assert.InRange(client.Domain.Watches, 0, 10);
                Assert.InRange(client.Domain.Transactions, 0, 4);
            }

            Assert.Equal(XenErrno.OK, dom0.Write("/tool/alive", "1"));
        }
        while (watch.Elapsed.TotalSeconds < seconds);
        output.WriteLine($"{messages} messages");
    }

    private static void Throw(StoreServer server, FuzzClient client, Random random)
    {
        var type = (XenStoreMessageType)random.Next(29);

        // Dom0 is right by definition: it may change limits, which would make the checks moot.
        if (client.Quotas is null && (type is XenStoreMessageType.Control or XenStoreMessageType.SetPerms || type == StoreFeatures.SetQuota))
            type = XenStoreMessageType.Read;

        // What it makes in a guest's home is the guest's, and no limit holds for it.
        if (client.Quotas is null && type is (XenStoreMessageType.Write or XenStoreMessageType.Mkdir))
            type = XenStoreMessageType.Rm;
        byte[] payload = random.Next(8) == 0
            ? new byte[random.Next(200)]
            : WireText.ToBytes(string.Concat(Enumerable.Range(0, random.Next(4)).Select(_ => Words[random.Next(Words.Length)] + (random.Next(8) == 0 ? "" : "\0"))));
        if (random.Next(8) == 0)
            random.NextBytes(payload);
        var header = new XenStoreMessageHeader { Type = type, ReqId = 1, TxId = (uint)(random.Next(2) * random.Next(60)), Len = (uint)payload.Length };
        server.Requests.Handle(client, header, payload);
        int replies = 0;
        while (client.Outbox.Peek() is { Length: > 0 } message)
        {
            XenStoreMessageHeader reply = WireText.ReadHeader(message);
            Assert.True(reply.Len <= XenStoreLimits.PayloadMax && reply.Len == message.Length - WireText.HeaderSize);
            replies += reply.Type == XenStoreMessageType.WatchEvent ? 0 : 1;
            client.Outbox.Sent(message.Length);
        }

        Assert.Equal(1, replies);
    }

    private sealed class FuzzClient(StoreDomain domain) : StoreClient(domain)
    {
        public override void Wake()
        {
        }
    }
}
