using System.Buffers.Binary;
using System.Net.Sockets;
using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Tests.Block;

/// <summary>An NBD server that shakes hands and then does not do its work. It tells when it has been sent something.</summary>
internal sealed class FakeNbdServer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly bool _shakesHands;
    private readonly bool _reads;
    private readonly Thread _thread;
    private Socket? _client;

    /// <param name="path">Where to listen.</param>
    /// <param name="shakesHands">It gets that far.</param>
    /// <param name="reads">It takes requests in, which it never answers; otherwise it leaves them in the socket.</param>
    public FakeNbdServer(string path, bool shakesHands, bool reads)
    {
        (Path, _shakesHands, _reads) = (path, shakesHands, reads);
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen();
        _thread = new Thread(Serve) { IsBackground = true };
        _thread.Start();
    }

    public string Path { get; }

    /// <summary>A request has arrived.</summary>
    public ManualResetEventSlim Asked { get; } = new();

    /// <summary>The client has hung up.</summary>
    public ManualResetEventSlim Left { get; } = new();

    public void Dispose()
    {
        _listener.Dispose();
        _client?.Dispose();
        _thread.Join();
        Asked.Dispose();
        Left.Dispose();
    }

    private void Serve()
    {
        try
        {
            _client = _listener.Accept();
            if (!_shakesHands)
                return;
            Greet(_client);
            _client.Poll(-1, SelectMode.SelectRead);
            Asked.Set();
            byte[] buffer = new byte[4096];
            while (_reads && _client.Receive(buffer) > 0)
            {
            }

            if (_reads)
                Left.Set();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or EndOfStreamException)
        {
            // The end of the test.
        }
    }

    private static void Greet(Socket client)
    {
        byte[] hello = new byte[18];
        BinaryPrimitives.WriteUInt64BigEndian(hello, NbdProtocol.InitialMagic);
        BinaryPrimitives.WriteUInt64BigEndian(hello.AsSpan(8), NbdProtocol.OptionMagic);
        BinaryPrimitives.WriteUInt16BigEndian(hello.AsSpan(16), NbdProtocol.FixedNewstyle | NbdProtocol.NoZeroes);
        NbdHandshake.Send(client, hello);
        byte[] flagsAndOption = new byte[4 + NbdProtocol.OptionHeaderSize];
        NbdHandshake.Receive(client, flagsAndOption);
        NbdHandshake.Receive(client, new byte[BinaryPrimitives.ReadUInt32BigEndian(flagsAndOption.AsSpan(16))]);
        byte[] info = new byte[12];
        BinaryPrimitives.WriteUInt64BigEndian(info.AsSpan(2), 1 << 20);
        BinaryPrimitives.WriteUInt16BigEndian(info.AsSpan(10), (ushort)(NbdTransmissionFlags.HasFlags | NbdTransmissionFlags.SendFlush));
        Reply(client, NbdProtocol.ReplyInfo, info);
        Reply(client, NbdProtocol.ReplyAck, []);
    }

    private static void Reply(Socket client, uint type, byte[] data)
    {
        byte[] header = new byte[NbdProtocol.OptionReplyHeaderSize];
        BinaryPrimitives.WriteUInt64BigEndian(header, NbdProtocol.OptionReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(8), NbdProtocol.OptionGo);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(12), type);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(16), (uint)data.Length);
        NbdHandshake.Send(client, header);
        NbdHandshake.Send(client, data);
    }
}
