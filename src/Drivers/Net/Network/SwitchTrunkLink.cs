using System.Net.Sockets;

namespace Xen.Drivers.Net.Network;

/// <summary>
/// One connection of a trunk: a port of the switch on our side, and a socket on which one message is one frame. The socket's own buffer is the
/// queue to a peer that is slow: what does not fit is lost, and nobody waits.
/// </summary>
internal sealed class SwitchTrunkLink : INetStation
{
    // Linux gives twice of it, or what net.core.wmem_max allows: some of the largest frames in any case.
    private const int QueueBytes = 1 << 20;
    private const int Forever = -1;

    private readonly Socket _socket;
    private readonly INetPort _port;
    private readonly Frame _received = new();
    private long _dropped;
    private volatile bool _closed;

    /// <summary>Takes over a connected socket, and plugs it into the switch.</summary>
    public SwitchTrunkLink(Socket socket, LearningSwitch owner)
    {
        _socket = socket;
        _socket.Blocking = false;
        _socket.SendBufferSize = QueueBytes;

        // It has no address of its own: the stations behind it have theirs, and none may be that of a neighbour here.
        _port = owner.Connect(this, new SwitchPortOptions(default, AllowOtherSources: true));
    }

    /// <summary>Frames lost because the peer does not keep up.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>The peer sent what no honest one sends.</summary>
    public bool PeerLied { get; private set; }

    public FrameFeatures Features => FrameFeatures.All;

    public int MaxFrame => Frame.MaxLength;

    /// <summary>Sends a frame of the switch to the peer.</summary>
    public void Receive(Frame frame, bool wait)
    {
        Span<byte> message = frame.WithHeadroom(SwitchTrunkHeader.Size).Span;
        SwitchTrunkHeader.Write(message, frame);
        try
        {
            _socket.Send(message, SocketFlags.None, out SocketError error);
            if (error != SocketError.Success)
                Interlocked.Increment(ref _dropped);
        }
        catch (ObjectDisposedException)
        {
            // The link ended while the frame was on its way to it.
        }
    }

    /// <summary>A switch in this process is always there.</summary>
    public void CarrierChanged(bool isUp, string reason)
    {
    }

    /// <summary>Receives until the peer goes, lies, or <see cref="Stop"/> is called; then the link is no more.</summary>
    public void Run()
    {
        try
        {
            while (!_closed && ReceiveOne())
            {
            }
        }
        catch (SocketException)
        {
            // As good as gone.
        }
        finally
        {
            _port.Dispose();
            _socket.Dispose();
        }
    }

    /// <summary>Ends <see cref="Run"/>. Any thread, at any time.</summary>
    public void Stop()
    {
        _closed = true;
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The peer was faster.
        }
    }

    private bool ReceiveOne()
    {
        Span<byte> room = _received.RoomWithHeadroom(SwitchTrunkHeader.Size);
        int count = _socket.Receive(room, SocketFlags.None, out SocketError error);
        if (error is SocketError.WouldBlock or SocketError.Interrupted)
        {
            _socket.Poll(Forever, SelectMode.SelectRead);
            return true;
        }

        // A message without a byte looks like the end, and is no frame.
        if (error != SocketError.Success || count == 0)
            return false;
        if (!SwitchTrunkHeader.TryRead(room[..count], out FrameOffload offload) || !_received.Set(count - SwitchTrunkHeader.Size, offload))
        {
            PeerLied = true;
            return false;
        }

        _port.Send(_received);
        return true;
    }
}
