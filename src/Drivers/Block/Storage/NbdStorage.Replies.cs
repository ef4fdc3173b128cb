using System.Buffers.Binary;
using System.Net.Sockets;
using Xen.Abi;
using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Block.Storage;

/// <summary>Replies, and the end of the connection.</summary>
public sealed partial class NbdStorage
{
    /// <summary>The receiver's thread: replies until the connection ends.</summary>
    private void Receive()
    {
        string why;
        try
        {
            byte[] header = new byte[NbdProtocol.SimpleReplySize];
            while (true)
            {
                NbdHandshake.Receive(_socket, header);
                ulong cookie = BinaryPrimitives.ReadUInt64BigEndian(header.AsSpan(8));
                if (BinaryPrimitives.ReadUInt32BigEndian(header) != NbdProtocol.SimpleReplyMagic || cookie >= MostInFlight || !IsBusy(cookie))
                    throw new InvalidDataException("a reply that makes no sense");
                Slot slot = _slots[cookie];
                uint error = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
                for (int i = 0; error == 0 && i < slot.Count; i++)
                    NbdHandshake.Receive(_socket, slot.Data[i].Bytes);
                Finish(slot, error == 0 ? XenErrno.OK : (XenErrno)error);
            }
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException or InvalidDataException)
        {
            why = e is EndOfStreamException ? "the server hung up" : e.Message;
        }

        Break(why);

        // Only this thread writes to the callers' memory, and it has stopped: now they may go.
        foreach (Slot slot in _slots)
        {
            if (IsBusy(slot))
                Finish(slot, XenErrno.EIO);
        }
    }

    private bool IsBusy(ulong cookie) => IsBusy(_slots[cookie]);

    private bool IsBusy(Slot slot)
    {
        lock (_slots)
            return slot.Busy;
    }

    private void Finish(Slot slot, XenErrno result)
    {
        lock (_slots)
        {
            slot.Busy = false;
            slot.Result = result;
        }

        slot.Done.Set();
    }

    private void Break(string why)
    {
        lock (_slots)
            _broken ??= why;
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The receiver has noticed by itself.
        }
    }

    /// <summary>A request under way.</summary>
    private sealed class Slot
    {
        public AutoResetEvent Done { get; } = new(false);

        public IoVector[] Data { get; set; } = new IoVector[Blkif.MaxSegments];

        public int Count { get; set; }

        public bool Busy { get; set; }

        public XenErrno Result { get; set; }
    }
}
