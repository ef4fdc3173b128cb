using System.Net.Sockets;
using System.Text;
using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>A client of the socket, byte by byte.</summary>
internal sealed class SocketClient : IDisposable
{
    private uint _request;

    public SocketClient(string path)
    {
        Socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 30_000, SendTimeout = 30_000 };
        Socket.Connect(new UnixDomainSocketEndPoint(path));
    }

    public Socket Socket { get; }

    public string Ask(XenStoreMessageType type, uint transaction, string payload)
    {
        Send(type, transaction, payload);
        while (true)
        {
            (XenStoreMessageHeader header, string text) = Receive();
            if (header.Type == XenStoreMessageType.WatchEvent)
                continue;
            Assert.Equal(_request, header.ReqId);
            return text;
        }
    }

    public void Send(XenStoreMessageType type, uint transaction, string payload)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(payload);
        byte[] message = WireText.NewMessage(type, ++_request, transaction, bytes.Length);
        bytes.CopyTo(message, 16);
        Socket.Send(message);
    }

    public (XenStoreMessageHeader Header, string Text) Receive()
    {
        XenStoreMessageHeader header = WireText.ReadHeader(Receive(16));
        return (header, Encoding.Latin1.GetString(Receive((int)header.Len)).TrimEnd('\0').Replace('\0', ' '));
    }

    /// <summary>Reads until the server ends the connection; false if it does not.</summary>
    public bool IsClosedByServer()
    {
        byte[] bytes = new byte[4096];
        try
        {
            while (Socket.Receive(bytes) > 0)
            {
            }

            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown;
        }
    }

    public void Dispose() => Socket.Dispose();

    private byte[] Receive(int count)
    {
        byte[] bytes = new byte[count];
        for (int have = 0; have < count;)
        {
            int got = Socket.Receive(bytes, have, count - have, SocketFlags.None);
            Assert.NotEqual(0, got);
            have += got;
        }

        return bytes;
    }
}
