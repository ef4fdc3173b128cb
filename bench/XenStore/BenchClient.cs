using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Xen.Abi;

namespace Xen.XenStore.Bench;

/// <summary>A client as libxenstore is one: it sends a request and waits for the answer.</summary>
internal sealed class BenchClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly byte[] _bytes = new byte[16 + XenStoreLimits.PayloadMax];
    private int _events;

    public BenchClient(string path) => _socket.Connect(new UnixDomainSocketEndPoint(path));

    public ReadOnlySpan<byte> Ask(XenStoreMessageType type, uint transaction, string payload)
    {
        int length = Encoding.ASCII.GetBytes(payload, _bytes.AsSpan(16));
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes, (uint)type);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(4), 0);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(8), transaction);
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(12), length);
        _socket.Send(_bytes.AsSpan(0, 16 + length));
        while (true)
        {
            ReadOnlySpan<byte> answer = Receive(out XenStoreMessageType got);
            if (got == XenStoreMessageType.WatchEvent)
                _events++;
            else
                return got == type ? answer : throw new InvalidOperationException($"{type}: {Encoding.ASCII.GetString(answer)}");
        }
    }

    public void Transact(string path)
    {
        string id = Encoding.ASCII.GetString(Ask(XenStoreMessageType.TransactionStart, 0, "\0")).TrimEnd('\0');
        uint transaction = uint.Parse(id, CultureInfo.InvariantCulture);
        Ask(XenStoreMessageType.Read, transaction, path + '\0');
        Ask(XenStoreMessageType.Write, transaction, path + "\0value");
        Ask(XenStoreMessageType.TransactionEnd, transaction, "T\0");
    }

    public void WriteAndHear(string path)
    {
        _events = 0;
        Ask(XenStoreMessageType.Write, 0, path + "\0value");
        while (_events == 0)
        {
            Receive(out XenStoreMessageType got);
            _events += got == XenStoreMessageType.WatchEvent ? 1 : 0;
        }
    }

    public void Dispose() => _socket.Dispose();

    private ReadOnlySpan<byte> Receive(out XenStoreMessageType type)
    {
        Fill(0, 16);
        type = (XenStoreMessageType)BinaryPrimitives.ReadUInt32LittleEndian(_bytes);
        int length = BinaryPrimitives.ReadInt32LittleEndian(_bytes.AsSpan(12));
        Fill(16, length);
        return _bytes.AsSpan(16, length);
    }

    private void Fill(int at, int count)
    {
        for (int end = at + count; at < end;)
        {
            int got = _socket.Receive(_bytes.AsSpan(at..end));
            at += got > 0 ? got : throw new InvalidOperationException("the store ended the connection");
        }
    }
}
