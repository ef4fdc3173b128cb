using Xen.Abi;

namespace Xen.XenStore;

/// <summary>Puts messages together from a stream of bytes that comes in pieces.</summary>
/// <remarks>A message longer than the protocol allows ends the stream: what follows cannot be told from messages any more.</remarks>
internal sealed class PacketAssembler
{
    private readonly byte[] _bytes = new byte[WireText.HeaderSize + XenStoreLimits.PayloadMax];
    private int _have;

    /// <summary>A message of impossible length came; nothing is taken any more.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>A whole message is here.</summary>
    public bool IsComplete { get; private set; }

    public XenStoreMessageHeader Header { get; private set; }

    public ReadOnlySpan<byte> Payload => _bytes.AsSpan(WireText.HeaderSize, (int)Header.Len);

    /// <summary>Where the next bytes of this message go; never more than it has.</summary>
    public Span<byte> Wanted
    {
        get
        {
            if (IsBroken || IsComplete)
                return [];
            int end = _have < WireText.HeaderSize ? WireText.HeaderSize : WireText.HeaderSize + (int)Header.Len;
            return _bytes.AsSpan(_have..end);
        }
    }

    /// <summary>Bytes were put at the start of <see cref="Wanted"/>.</summary>
    public void Took(int count)
    {
        bool inHeader = _have < WireText.HeaderSize;
        _have += count;
        if (inHeader && _have == WireText.HeaderSize)
        {
            Header = WireText.ReadHeader(_bytes);
            IsBroken = Header.Len > XenStoreLimits.PayloadMax;
        }

        IsComplete = !IsBroken && _have >= WireText.HeaderSize && _have == WireText.HeaderSize + (int)Header.Len;
    }

    /// <summary>Forgets the message, whole or not, to begin the next.</summary>
    public void Restart()
    {
        _have = 0;
        IsBroken = IsComplete = false;
    }
}
