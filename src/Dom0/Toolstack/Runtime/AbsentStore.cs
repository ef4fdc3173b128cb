using System.Buffers.Binary;
using Xen.Abi;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>
/// The other end of a domain's xenstore ring where no xenstore runs: every request is answered with ENOSYS, so that a guest that asks
/// goes on without devices instead of waiting for ever. <b>Source</b>: io/xs_wire.h.
/// </summary>
/// <remarks>Requests are taken one at a time, the next only when the answer has gone out: a guest that does not read holds up only itself.</remarks>
internal sealed class AbsentStore : IDisposable
{
    private const int HeaderSize = 16;

    private readonly Lock _lock = new();
    private readonly ISharedPage _page;
    private readonly IEventPort _events;
    private readonly ByteRing _requests;
    private readonly ByteRing _responses;
    private readonly byte[] _header = new byte[HeaderSize];
    private readonly byte[] _scratch = new byte[XenStoreInterfaceLayout.RingSize];
    private int _headerBytes;
    private int _payloadLeft;
    private ReadOnlyMemory<byte> _answer;
    private bool _closed;

    /// <param name="page">The ring page; owned from now on.</param>
    /// <param name="events">Our end of the event channel; owned from now on.</param>
    public AbsentStore(ISharedPage page, IEventPort events)
    {
        _page = page;
        _events = events;
        _requests = new ByteRing(page, new ByteRingLayout(
            XenStoreInterfaceLayout.Req, XenStoreInterfaceLayout.RingSize, XenStoreInterfaceLayout.ReqCons, XenStoreInterfaceLayout.ReqProd));
        _responses = new ByteRing(page, new ByteRingLayout(
            XenStoreInterfaceLayout.Rsp, XenStoreInterfaceLayout.RingSize, XenStoreInterfaceLayout.RspCons, XenStoreInterfaceLayout.RspProd));
        events.SetHandler(Serve);
    }

    public void Dispose()
    {
        _events.SetHandler(null);
        lock (_lock)
        {
            if (_closed)
                return;
            _closed = true;
            _events.Dispose();
            _page.Dispose();
        }
    }

    private void Serve()
    {
        bool moved = false;
        lock (_lock)
        {
            while (!_closed && (SendAnswer() | TakeRequest()))
                moved = true;
        }

        if (moved)
            _events.Notify();
    }

    /// <summary>Sends what fits of the answer. False when there is nothing to send or no room.</summary>
    private bool SendAnswer()
    {
        if (_answer.IsEmpty)
            return false;
        int sent = _responses.Write(_answer.Span);
        _answer = _answer[sent..];
        return sent > 0;
    }

    /// <summary>Takes what is there of a request; when it is whole, makes its answer.</summary>
    private bool TakeRequest()
    {
        if (!_answer.IsEmpty)
            return false;
        int taken;
        if (_headerBytes < HeaderSize)
        {
            taken = _requests.Read(_header.AsSpan(_headerBytes));
            _headerBytes += taken;
            if (_headerBytes < HeaderSize)
                return taken > 0;
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(_header.AsSpan(12));

            // A length that no message has: what follows cannot be told from requests any more.
            _payloadLeft = length <= XenStoreLimits.PayloadMax ? (int)length : int.MaxValue;
        }
        else
        {
            taken = _requests.Read(_scratch.AsSpan(0, Math.Min(_payloadLeft, _scratch.Length)));
            _payloadLeft -= _payloadLeft == int.MaxValue ? 0 : taken;
        }

        if (_payloadLeft == 0)
        {
            _answer = Refusal(_header);
            _headerBytes = 0;
        }

        return taken > 0;
    }

    private static byte[] Refusal(ReadOnlySpan<byte> request)
    {
        ReadOnlySpan<byte> name = "ENOSYS\0"u8;
        byte[] answer = new byte[HeaderSize + name.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(answer, (uint)XenStoreMessageType.Error);
        request[4..12].CopyTo(answer.AsSpan(4));
        BinaryPrimitives.WriteInt32LittleEndian(answer.AsSpan(12), name.Length);
        name.CopyTo(answer.AsSpan(HeaderSize));
        return answer;
    }
}
