using System.Buffers.Binary;
using System.Collections.Concurrent;
using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Guests on their rings.</summary>
public sealed class RingTests : IDisposable
{
    private readonly StoreServer _server = new();
    private readonly ConcurrentQueue<string> _broken = new();

    public RingTests()
    {
        _server.ConnectionBroken += (domain, reason) => _broken.Enqueue($"{domain}: {reason}");
        LocalStorePort port = _server.OpenPort(DomId.Dom0);
        port.MakeDirectory("/local/domain/5");
        port.SetPermissions("/local/domain/5", [new(new DomId(5), Rings.StoreAccess.None)]);
        port.MakeDirectory("/local/domain/6");
        port.SetPermissions("/local/domain/6", [new(new DomId(6), Rings.StoreAccess.None)]);
    }

    public void Dispose() => _server.Dispose();

    [Theory]
    [InlineData(0u)]
    [InlineData(uint.MaxValue - 3)]
    [InlineData(uint.MaxValue - 1100)]
    public void Requests_ArriveWhereverTheRingStands(uint start)
    {
        var guest = new GuestRing(_server, 5, start);
        for (int i = 0; i < 200; i++)
        {
            string value = new('x', i * 10);
            Assert.Equal("OK", guest.Ask(XenStoreMessageType.Write, 0, $"data/{i}\0{value}"));
            Assert.Equal(value, guest.Ask(XenStoreMessageType.Read, 0, $"data/{i}\0"));
        }
    }

    [Fact]
    public void Features_AreShown()
    {
        var guest = new GuestRing(_server, 5);
        guest.Ask(XenStoreMessageType.Read, 0, "x\0");
        Assert.Equal(7u, guest.ServerFeatures);
        Assert.Equal(XenStoreRingError.None, guest.RingError);
    }

    [Fact]
    public void Watches_WakeTheGuest()
    {
        var guest = new GuestRing(_server, 5);
        Assert.Equal("OK", guest.Ask(XenStoreMessageType.Watch, 0, "device\0tok\0"));
        Assert.Equal("device tok", guest.NextEvent());
        Assert.Equal(XenErrno.OK, _server.OpenPort(DomId.Dom0).Write("/local/domain/5/device/vif/0", "x"));
        Assert.Equal("device/vif/0 tok", guest.NextEvent());
    }

    [Fact]
    public void Transactions_WorkFromTwoGuests()
    {
        var five = new GuestRing(_server, 5);
        var six = new GuestRing(_server, 6);
        uint t = uint.Parse(five.Ask(XenStoreMessageType.TransactionStart, 0, "\0"));
        uint u = uint.Parse(six.Ask(XenStoreMessageType.TransactionStart, 0, "\0"));
        Assert.Equal("OK", five.Ask(XenStoreMessageType.Write, t, "a\05"));
        Assert.Equal("OK", six.Ask(XenStoreMessageType.Write, u, "a\06"));
        Assert.Equal("OK", six.Ask(XenStoreMessageType.TransactionEnd, u, "T\0"));
        Assert.Equal("OK", five.Ask(XenStoreMessageType.TransactionEnd, t, "T\0"));
        Assert.Equal("6", six.Ask(XenStoreMessageType.Read, 0, "a\0"));
    }

    [Fact]
    public void Reconnect_StartsAfreshAndDropsEverything()
    {
        var guest = new GuestRing(_server, 5);
        guest.Ask(XenStoreMessageType.Watch, 0, "device\0tok\0");
        uint t = uint.Parse(guest.Ask(XenStoreMessageType.TransactionStart, 0, "\0"));
        guest.Send([1, 2, 3]);
        guest.Reconnect();
        guest.WatchEvents.Clear();
        Assert.Equal("ENOENT", guest.Ask(XenStoreMessageType.TransactionEnd, t, "T\0"));
        Assert.Equal("OK", guest.Ask(XenStoreMessageType.Watch, 0, "device\0tok\0"));
    }

    [Theory]
    [InlineData(1025u)]
    [InlineData(0x80000000u)]
    [InlineData(uint.MaxValue)]
    public void Hostile_ProducerTooFarAhead_EndsTheConnectionUntilReconnect(uint ahead)
    {
        var guest = new GuestRing(_server, 5);
        var neighbour = new GuestRing(_server, 6);
        guest.LieAboutRequests(ahead);
        guest.AwaitError(XenStoreRingError.RingIdx);
        Assert.Equal("OK", neighbour.Ask(XenStoreMessageType.Write, 0, "a\0x"));
        guest.Reconnect();
        Assert.Equal(XenStoreRingError.None, guest.RingError);
        Assert.Equal("OK", guest.Ask(XenStoreMessageType.Write, 0, "a\0x"));
        Assert.StartsWith("d5: producer index", Assert.Single(_broken), StringComparison.Ordinal);
    }

    [Fact]
    public void Hostile_ConsumerAheadOfItsProducer_EndsTheConnection()
    {
        var guest = new GuestRing(_server, 5);
        guest.LieAboutResponses(4);
        guest.Send(WireText.NewMessage(XenStoreMessageType.Read, 1, 0, 0));
        guest.AwaitError(XenStoreRingError.RingIdx);
    }

    [Theory]
    [InlineData(4097u)]
    [InlineData(0x7fffffffu)]
    [InlineData(uint.MaxValue)]
    public void Hostile_MessageTooLong_EndsTheConnectionUntilReconnect(uint length)
    {
        var guest = new GuestRing(_server, 5);
        guest.Ask(XenStoreMessageType.Watch, 0, "device\0tok\0");
        byte[] header = WireText.NewMessage(XenStoreMessageType.Write, 1, 0, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), length);
        guest.Send(header);
        guest.AwaitError(XenStoreRingError.Proto);
        guest.Reconnect();
        guest.WatchEvents.Clear();
        Assert.Equal("OK", guest.Ask(XenStoreMessageType.Watch, 0, "device\0tok\0"));
    }

    [Fact]
    public void Hostile_GuestThatDoesNotRead_StopsOnlyItself()
    {
        var guest = new GuestRing(_server, 5);
        var neighbour = new GuestRing(_server, 6);
        Assert.Equal("OK", guest.Ask(XenStoreMessageType.Write, 0, "big\0" + new string('x', 2000)));
        byte[] read = WireText.NewMessage(XenStoreMessageType.Read, 1, 0, 4);
        "big\0"u8.CopyTo(read.AsSpan(16));
        int sent = 0;
        for (int i = 0; i < 2000; i++)
        {
            if (guest.SendSome(read) < read.Length)
                break;
            sent++;
            Assert.Equal("OK", neighbour.Ask(XenStoreMessageType.Write, 0, $"a\0{i}"));
        }

        // The ring of requests is full, the ring of answers is full, and what waits between is bounded.
        Assert.InRange(sent, 1, 200);
        Assert.Equal("OK", neighbour.Ask(XenStoreMessageType.Write, 0, "a\0x"));
    }

    [Fact]
    public void Hostile_RandomBytes_NeverStopTheNeighbours()
    {
        var random = new Random(7);
        var neighbour = new GuestRing(_server, 6);
        var guest = new GuestRing(_server, 5);
        byte[] bytes = new byte[700];
        for (int i = 0; i < 1500; i++)
        {
            random.NextBytes(bytes);
            int length = random.Next(bytes.Length);
            if (i % 2 == 0)
            {
                // A right header, so that something gets to the handlers.
                WireText.NewMessage((XenStoreMessageType)random.Next(28), 1, (uint)random.Next(3), random.Next(64)).AsSpan(0, 16).CopyTo(bytes);
            }

            guest.SendSome(bytes.AsSpan(0, length));
            if (i % 50 == 0)
                Assert.Equal("OK", neighbour.Ask(XenStoreMessageType.Write, 0, $"a\0{i}"));
            if (i % 10 == 0)
                guest.Reconnect();
        }

        guest.Reconnect();
        guest.WatchEvents.Clear();
        Assert.Equal("OK", guest.Ask(XenStoreMessageType.Write, 0, "a\0x"));
        _server.Describe(out bool isSound);
        Assert.True(isSound);
    }

    [Fact]
    public void Release_LetsGoOfPageAndChannel()
    {
        var guest = new GuestRing(_server, 5);
        guest.Ask(XenStoreMessageType.Watch, 0, "device\0tok\0");
        Assert.Equal(XenErrno.OK, _server.ReleaseDomain(new DomId(5)));
        Assert.True(guest.Page.IsDisposed && guest.Events.IsDisposed);
        Assert.False(_server.IsIntroduced(new DomId(5)));
        guest.Events.Raise();
        var next = new GuestRing(_server, 5);
        Assert.Equal("EACCES", next.Ask(XenStoreMessageType.Read, 0, "x\0"));
    }

    [Fact]
    public void Introduce_OfADomainThatIsServed_GivesItANewConnection()
    {
        var first = new GuestRing(_server, 5);
        first.Ask(XenStoreMessageType.Watch, 0, "device\0tok\0");
        var second = new GuestRing(_server, 5);
        Assert.True(first.Page.IsDisposed);
        Assert.Equal("OK", second.Ask(XenStoreMessageType.Watch, 0, "device\0tok\0"));
    }

    [Fact]
    public void Introduce_OfAReservedNumber_IsEinval()
    {
        var page = new StorePage();
        var events = new StoreEvents();
        Assert.Equal(XenErrno.EINVAL, _server.IntroduceDomain(DomId.Self, page, events));
        Assert.True(page.IsDisposed && events.IsDisposed);
    }
}
