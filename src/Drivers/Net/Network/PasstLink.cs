using System.Buffers.Binary;
using System.Net.Sockets;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Network;

/// <summary>One passt, from its start to its end: frames with their lengths on a socket.</summary>
internal sealed class PasstLink : IDisposable
{
    private const int PrefixSize = 4;
    private const int BufferSize = 256 * 1024;
    private const int ReadyTimeout = 10_000;

    private readonly Lock _sendLock = new();
    private readonly ChildProcess _child;
    private readonly Socket _socket;
    private readonly MacAddress _mac;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferSize);
    private int _filled;
    private volatile bool _closed;

    public PasstLink(ChildProcess child, MacAddress mac)
    {
        (_child, _socket, _mac) = (child, child.Socket, mac);
        _socket.SendBufferSize = _socket.ReceiveBufferSize = 1 << 20;
    }

    /// <summary>The process.</summary>
    public int ProcessId => _child.Id;

    /// <summary>Why it is no more, after <see cref="Dispose"/>.</summary>
    public string Reason => $"{_child.End}: {_child.LastWords()}";

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

    /// <summary>Sends a frame, or loses it if the child is gone.</summary>
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

    /// <summary>Makes whoever sends and receives return. Any thread.</summary>
    public void Stop()
    {
        _closed = true;
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The child was gone before.
        }
    }

    /// <summary>Ends the child.</summary>
    public void Dispose()
    {
        Stop();

        // Who sends has been woken; the socket's number must not become another's under it.
        lock (_sendLock)
            _child.Dispose();
    }

    /// <summary>Receives until the child is gone, speaks nonsense, or <see cref="Stop"/> is called.</summary>
    public void Receive(INetStation station)
    {
        var received = new TcpCoalescer(station);
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

                if (_closed)
                    return;
                received.Add(_buffer.AsSpan(at + PrefixSize, length));
                at += PrefixSize + length;
            }

            // No packet waits for one that may not come: what was there at once is what can be joined. While the guest is behind, that is much.
            if (!_closed)
                received.Flush();

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
