using System.Buffers.Binary;
using System.Net.Sockets;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Network;

/// <summary>A guest's end of its user-mode network: frames with their lengths on a socket, and a thread that receives.</summary>
internal sealed class PasstPort : INetPort
{
    private const int PrefixSize = 4;
    private const int BufferSize = 256 * 1024;
    private const int ReadyTimeout = 10_000;

    private readonly Lock _sendLock = new();
    private readonly ChildProcess _child;
    private readonly Socket _socket;
    private readonly INetStation _station;
    private readonly MacAddress _mac;
    private readonly Thread _thread;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferSize);
    private readonly Frame _received = new();
    private int _filled;
    private volatile bool _closed;

    public PasstPort(ChildProcess child, INetStation station, UserNetworkOptions options)
    {
        (_child, _socket, _station, _mac) = (child, child.Socket, station, options.Mac);
        _socket.SendBufferSize = _socket.ReceiveBufferSize = 1 << 20;
        _thread = new Thread(Receive) { Name = "usernet-" + options.Name, IsBackground = true };
    }

    /// <summary>Asks for the gateway's address, as the guest will: who answers serves.</summary>
    public bool WaitUntilReady()
    {
        Frame question = new();
        Span<byte> arp = question.Room[..42];
        arp.Clear();
        MacAddress.Broadcast.Write(arp);
        _mac.Write(arp[6..]);
        ReadOnlySpan<byte> head = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1];
        head.CopyTo(arp[12..]);
        _mac.Write(arp[22..]);
        ReadOnlySpan<byte> gateway = [10, 0, 2, 2];
        gateway.CopyTo(arp[38..]);
        question.Set(arp.Length);
        Send(question);
        _socket.ReceiveTimeout = ReadyTimeout;
        bool isReady = true;

        // The answer may come in pieces. It is not the guest's, so it is left out; what follows it stays.
        int length = 0;
        while (isReady && (_filled < PrefixSize || _filled - PrefixSize < (length = BinaryPrimitives.ReadInt32BigEndian(_buffer))))
            isReady = length is >= 0 and <= Frame.MaxLength && Fill();
        _socket.ReceiveTimeout = 0;
        if (!isReady || length is < 0 or > Frame.MaxLength)
            return false;
        _filled -= PrefixSize + length;
        _buffer.AsSpan(PrefixSize + length, _filled).CopyTo(_buffer);
        return true;
    }

    public void Start() => _thread.Start();

    public void Send(Frame frame)
    {
        frame.CompleteChecksum();
        Span<byte> bytes = frame.WithHeadroom(PrefixSize).Span;
        BinaryPrimitives.WriteInt32BigEndian(bytes, frame.Length);
        lock (_sendLock)
        {
            // A frame that is only half sent would make the rest unreadable: all of it goes, or the child is gone.
            while (bytes.Length > 0 && !_closed)
            {
                int sent = _socket.Send(bytes, SocketFlags.None, out SocketError error);
                if (error != SocketError.Success)
                    return;
                bytes = bytes[sent..];
            }
        }
    }

    public void Dispose()
    {
        if (_closed)
            return;
        _closed = true;
        try
        {
            // Wakes who sends and who receives.
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (SocketException)
        {
            // The child was gone before.
        }

        if (_thread.IsAlive)
            _thread.Join();
        _child.Dispose();
    }

    private void Receive()
    {
        while (!_closed && Fill())
        {
            int at = 0;
            while (_filled - at >= PrefixSize)
            {
                int length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(at));
                if (length is < 0 or > Frame.MaxLength)
                    return;
                if (_filled - at - PrefixSize < length)
                    break;

                // What comes from sockets of the host has been checked there.
                if (_received.Set(_buffer.AsSpan(at + PrefixSize, length), new FrameOffload(Validated: true)) && !_closed)
                    _received.DeliverTo(_station);
                at += PrefixSize + length;
            }

            _buffer.AsSpan(at, _filled - at).CopyTo(_buffer);
            _filled -= at;
        }
    }

    private bool Fill()
    {
        int count = _socket.Receive(_buffer.AsSpan(_filled), SocketFlags.None, out SocketError error);
        if (error != SocketError.Success || count <= 0)
            return false;
        _filled += count;
        return true;
    }
}
