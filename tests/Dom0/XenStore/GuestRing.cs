using System.Text;
using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>A guest's side of the store ring, written from io/xs_wire.h alone: index arithmetic of its own, byte by byte.</summary>
internal sealed class GuestRing
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private const int ReqCons = 2048, ReqProd = 2052, RspCons = 2056, RspProd = 2060, Features = 2064, Connection = 2068, Error = 2072;

    private uint _request;

    public GuestRing(StoreServer server, ushort domain, uint start = uint.MaxValue - 3)
    {
        Page[ReqCons] = Page[ReqProd] = Page[RspCons] = Page[RspProd] = start;
        Assert.Equal(XenErrno.OK, server.IntroduceDomain(new DomId(domain), Page, Events));
    }

    public StorePage Page { get; } = new();

    public StoreEvents Events { get; } = new();

    public List<string> WatchEvents { get; } = [];

    public uint ServerFeatures => Page[Features];

    public XenStoreRingError RingError => (XenStoreRingError)Page[Error];

    public uint Unread => Page[RspProd] - Page[RspCons];

    /// <summary>Sends a request and waits for its reply, as text.</summary>
    public string Ask(XenStoreMessageType type, uint transaction, string payload)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(payload);
        byte[] message = WireText.NewMessage(type, ++_request, transaction, bytes.Length);
        bytes.CopyTo(message, 16);
        Send(message);
        while (true)
        {
            XenStoreMessageHeader header = WireText.ReadHeader(Receive(16));
            string text = Encoding.Latin1.GetString(Receive((int)header.Len)).TrimEnd('\0').Replace('\0', ' ');
            if (header.Type == XenStoreMessageType.WatchEvent)
            {
                WatchEvents.Add(text);
                continue;
            }

            Assert.Equal(_request, header.ReqId);
            return text;
        }
    }

    /// <summary>Takes one watch event, waiting for it.</summary>
    public string NextEvent()
    {
        if (WatchEvents.Count == 0)
        {
            XenStoreMessageHeader header = WireText.ReadHeader(Receive(16));
            Assert.Equal(XenStoreMessageType.WatchEvent, header.Type);
            return Encoding.Latin1.GetString(Receive((int)header.Len)).TrimEnd('\0').Replace('\0', ' ');
        }

        string first = WatchEvents[0];
        WatchEvents.RemoveAt(0);
        return first;
    }

    /// <summary>Puts bytes into the ring, waiting for room.</summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            Await(() => Page[ReqProd] - Page[ReqCons] < 1024);
            Page.Guest[(int)(Page[ReqProd] & 1023)] = b;
            Page[ReqProd]++;
        }

        Events.Raise();
    }

    /// <summary>Puts what fits into the ring and does not wait.</summary>
    public int SendSome(ReadOnlySpan<byte> bytes)
    {
        int sent = 0;
        while (sent < bytes.Length && Page[ReqProd] - Page[ReqCons] < 1024)
        {
            Page.Guest[(int)(Page[ReqProd] & 1023)] = bytes[sent++];
            Page[ReqProd]++;
        }

        Events.Raise();
        return sent;
    }

    public byte[] Receive(int count)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
        {
            Await(() => Unread > 0);
            bytes[i] = Page.Guest[(int)(1024 + (Page[RspCons] & 1023))];
            Page[RspCons]++;
        }

        Events.Raise();
        return bytes;
    }

    public void LieAboutRequests(uint ahead)
    {
        Page[ReqProd] = Page[ReqCons] + ahead;
        Events.Raise();
    }

    public void LieAboutResponses(uint ahead)
    {
        Page[RspCons] = Page[RspProd] + ahead;
        Events.Raise();
    }

    public void Reconnect()
    {
        Page[Connection] = (uint)XenStoreConnection.Reconnect;
        Events.Raise();
        Await(() => Page[Connection] == (uint)XenStoreConnection.Connected);
    }

    public void AwaitError(XenStoreRingError error) => Await(() => RingError == error);

    /// <summary>Waits for something that the store will notify of.</summary>
    public void Await(Func<bool> condition)
    {
        while (!condition())
        {
            Events.Raise();
            Assert.True(Events.Notified.Wait(Patience) || condition(), "the store did not notify");
        }
    }
}
