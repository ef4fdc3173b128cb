using System.Runtime.InteropServices;
using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>
/// A guest that notifies as Linux's xenbus does: only if it finds that the store has read all that was there before, and with nothing between its store
/// and that look that would keep a processor from swapping them.
/// </summary>
public sealed class LinuxRingTests : IDisposable
{
    private const int Requests = 100_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly StoreServer _server = new();
    private readonly StorePage _page = new();
    private readonly StoreEvents _events = new();

    public void Dispose() => _server.Dispose();

    [Fact]
    public void Requests_OfAGuestThatSeldomNotifies_AreAllSeen()
    {
        LocalStorePort port = _server.OpenPort(DomId.Dom0);
        port.MakeDirectory("/local/domain/5");
        port.SetPermissions("/local/domain/5", [new(new DomId(5), Rings.StoreAccess.None)]);
        _server.IntroduceDomain(new DomId(5), _page, _events);
        byte[] payload = "x\0"u8.ToArray();
        for (int i = 0; i < Requests; i++)
        {
            var header = new XenStoreMessageHeader { Type = XenStoreMessageType.Read, ReqId = (uint)i, Len = (uint)payload.Length };
            Write(MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref header, 1)));
            Write(payload);
            var reply = default(XenStoreMessageHeader);
            Read(MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref reply, 1)), i);
            Assert.Equal((XenStoreMessageType.Error, (uint)i), (reply.Type, reply.ReqId));
            Read(new byte[reply.Len], i);
        }
    }

    /// <summary>As xb_write. There is always room: one request is under way.</summary>
    private void Write(ReadOnlySpan<byte> bytes)
    {
        uint prod = Index(XenStoreInterfaceLayout.ReqProd);
        for (int i = 0; i < bytes.Length; i++)
            _page.Guest[XenStoreInterfaceLayout.Req + (int)((prod + (uint)i) % XenStoreInterfaceLayout.RingSize)] = bytes[i];
        Volatile.Write(ref Index(XenStoreInterfaceLayout.ReqProd), prod + (uint)bytes.Length);
        if (prod <= Volatile.Read(ref Index(XenStoreInterfaceLayout.ReqCons)))
            _events.Raise();
    }

    /// <summary>As xb_read, asleep while there is nothing.</summary>
    private void Read(Span<byte> bytes, int request)
    {
        uint cons = Index(XenStoreInterfaceLayout.RspCons);
        while (Volatile.Read(ref Index(XenStoreInterfaceLayout.RspProd)) - cons < (uint)bytes.Length)
            Assert.True(_events.Notified.Wait(Patience), $"request {request} got no answer");
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = _page.Guest[XenStoreInterfaceLayout.Rsp + (int)((cons + (uint)i) % XenStoreInterfaceLayout.RingSize)];
        Volatile.Write(ref Index(XenStoreInterfaceLayout.RspCons), cons + (uint)bytes.Length);
    }

    private ref uint Index(int offset) => ref MemoryMarshal.AsRef<uint>(_page.Guest[offset..]);
}
