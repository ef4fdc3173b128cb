using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Tests.Net;

/// <summary>A guest on the user-mode network gets an address and reaches the host. Needs passt (.ci/run installs it).</summary>
public sealed class UserNetworkTests
{
    private const uint Guest = 0x0A00020F, Gateway = 0x0A000202;

    [Fact]
    public void Guest_GetsItsAddressByDhcp()
    {
        using NetRig rig = new();
        Vif vif = rig.Guest(3, Packets.A, new UserNetwork(new UserNetworkOptions(Packets.A, "d3-0")));
        byte[] offer = Dhcp(vif, 1);
        Assert.Equal(2, Option(offer, 53)[0]);
        byte[] acknowledgement = Dhcp(vif, 3);
        Assert.Equal(5, Option(acknowledgement, 53)[0]);
        Assert.Equal(UserNetwork.GuestAddress, new IPAddress(acknowledgement.AsSpan(16, 4)).ToString());
        Assert.Equal(UserNetwork.HostAddress, new IPAddress(Option(acknowledgement, 3)).ToString());
        Assert.Equal([255, 255, 255, 0], Option(acknowledgement, 1));
        Assert.Equal(65520, BinaryPrimitives.ReadUInt16BigEndian(Option(acknowledgement, 26)));
    }

    [Fact]
    public async Task Guest_ReachesAServerOnTheHostsLoopback()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using NetRig rig = new();
        Vif vif = rig.Guest(3, Packets.A, new UserNetwork(new UserNetworkOptions(Packets.A, "d3-0")));
        MacAddress gateway = Arp(vif);
        Tcp guest = new(vif, gateway, (ushort)((IPEndPoint)listener.LocalEndpoint).Port);
        Task<TcpClient> accepting = listener.AcceptTcpClientAsync();
        guest.Open();
        using TcpClient server = await accepting.WaitAsync(NetRig.Patience);
        byte[] question = Packets.Random(new Random(1), 30_000), got = new byte[question.Length];
        guest.Send(question);
        await server.GetStream().ReadExactlyAsync(got).AsTask().WaitAsync(NetRig.Patience);
        Assert.Equal(question, got);
        await server.GetStream().WriteAsync(Encoding.ASCII.GetBytes("hello, guest"));
        Assert.Equal("hello, guest", Encoding.ASCII.GetString(guest.Receive(12)));
    }

    /// <summary>As <c>nc HOST PORT &lt;/dev/null</c> does: the guest has said all it has to say, and listens.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Guest_ThatHasClosedItsHalf_StillHearsTheServer(bool atOnce)
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using NetRig rig = new();
        Vif vif = rig.Guest(3, Packets.A, new UserNetwork(new UserNetworkOptions(Packets.A, "d3-0")));
        MacAddress gateway = Arp(vif);
        Tcp guest = new(vif, gateway, (ushort)((IPEndPoint)listener.LocalEndpoint).Port);
        Task<TcpClient> accepting = listener.AcceptTcpClientAsync();
        guest.Open();
        if (atOnce)
            guest.Finish();
        using TcpClient server = await accepting.WaitAsync(NetRig.Patience);
        if (!atOnce)
            guest.Finish();
        Assert.Equal(0, await server.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(NetRig.Patience));
        await server.GetStream().WriteAsync(Encoding.ASCII.GetBytes("hello, guest"));
        Assert.Equal("hello, guest", Encoding.ASCII.GetString(guest.Receive(12)));
    }

    [Fact]
    public async Task Server_ThatCloses_IsHeardToByTheGuest()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using NetRig rig = new();
        Vif vif = rig.Guest(3, Packets.A, new UserNetwork(new UserNetworkOptions(Packets.A, "d3-0")));
        Tcp guest = new(vif, Arp(vif), (ushort)((IPEndPoint)listener.LocalEndpoint).Port);
        Task<TcpClient> accepting = listener.AcceptTcpClientAsync();
        guest.Open();
        using (TcpClient server = await accepting.WaitAsync(NetRig.Patience))
            await server.GetStream().WriteAsync(Encoding.ASCII.GetBytes("hello, guest"));
        Assert.Equal("hello, guest", Encoding.ASCII.GetString(guest.Receive(12)));
        guest.ReceiveFinish();
    }

    [Fact]
    public void Program_ThatIsNotThere_IsNamedWithItsPackage()
    {
        UserNetwork network = new(new UserNetworkOptions(Packets.A, "d3-0") { Program = "/nowhere/passt" });
        string? error = network.Connect(new RecordingStation(), out INetPort? port);
        Assert.Contains("apt-get install passt", error, StringComparison.Ordinal);
        Assert.Null(port);
    }

    [Fact]
    public void Program_ThatFails_IsQuoted()
    {
        UserNetwork network = new(new UserNetworkOptions(Packets.A, "d3-0") { Program = "/bin/ls" });
        string? error = network.Connect(new RecordingStation(), out INetPort? port);
        Assert.Contains("does not serve: ", error, StringComparison.Ordinal);
        Assert.Contains("ls: ", error, StringComparison.Ordinal);
        Assert.Null(port);
    }

    [Fact]
    public void Child_EndsWithTheDevice()
    {
        using NetRig rig = new();
        Vif vif = rig.Guest(3, Packets.A, new UserNetwork(new UserNetworkOptions(Packets.A, "d3-0")));
        int[] before = Children();
        Assert.NotEmpty(before);
        vif.Backend.Disconnect();
        Assert.Null(vif.Connect());
        vif.Backend.Disconnect();
    }

    /// <summary>Processes named passt that are children of ours.</summary>
    private static int[] Children() =>
    [
        .. from folder in Directory.EnumerateDirectories("/proc")
           where int.TryParse(Path.GetFileName(folder), out _)
           let stat = Stat(folder)
           where stat.Contains("(passt", StringComparison.Ordinal) && stat.Contains($" {Environment.ProcessId} ", StringComparison.Ordinal)
           select int.Parse(Path.GetFileName(folder), System.Globalization.CultureInfo.InvariantCulture),
    ];

    private static string Stat(string folder)
    {
        try
        {
            return File.ReadAllText(folder + "/stat");
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static MacAddress Arp(Vif vif)
    {
        byte[] arp = new byte[28];
        byte[] head = [0, 1, 8, 0, 6, 4, 0, 1];
        head.CopyTo(arp, 0);
        Packets.A.Write(arp.AsSpan(8));
        BinaryPrimitives.WriteUInt32BigEndian(arp.AsSpan(14), Guest);
        BinaryPrimitives.WriteUInt32BigEndian(arp.AsSpan(24), Gateway);
        vif.Send(Packets.Ethernet(Packets.A, MacAddress.Broadcast, 0x0806, arp));
        return MacAddress.Read(Next(vif, f => f[12] == 8 && f[13] == 6 && f[21] == 2).AsSpan(22));
    }

    private static byte[] Next(Vif vif, Func<byte[], bool> wanted)
    {
        for (; ; )
        {
            byte[] frame = vif.Receive().Bytes;
            if (wanted(frame))
                return frame;
        }
    }

    /// <summary>Sends a DHCP message and returns the answer, from its op field on.</summary>
    private static byte[] Dhcp(Vif vif, byte type)
    {
        byte[] message = new byte[300];
        (message[0], message[1], message[2], message[10]) = (1, 1, 6, 0x80);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(4), 0x12345678);
        Packets.A.Write(message.AsSpan(28));
        byte[] options = [0x63, 0x82, 0x53, 0x63, 53, 1, type, 55, 4, 1, 3, 6, 26, 255];
        options.CopyTo(message, 236);
        byte[] frame = Packets.Transport(false, false, Packets.A, MacAddress.Broadcast, message, blank: true, sourcePort: 68);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(36), 67);
        Addressed(frame, 0, uint.MaxValue);
        vif.Send(frame, new FrameOffload(CsumBlank: true));
        return Next(vif, f => f.Length > 282 && f[23] == 17 && f[35] == 67 && f[42] == 2)[42..];
    }

    private static byte[] Option(byte[] message, byte code)
    {
        for (int at = 240; message[at] != 255; at += message[at] == 0 ? 1 : 2 + message[at + 1])
        {
            if (message[at] == code)
                return message[(at + 2)..(at + 2 + message[at + 1])];
        }

        return [];
    }

    private static void Addressed(byte[] frame, uint source, uint destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(26), source);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(30), destination);
        PacketHeaders.Parse(frame).WriteNetworkChecksum(frame);
    }

    /// <summary>A TCP connection of a guest, as small as it can be where nothing is lost.</summary>
    private sealed class Tcp(Vif vif, MacAddress gateway, ushort port)
    {
        private const byte Fin = 1, Syn = 2, Push = 8, Ack = 16;
        private const int Segment = 16_000;

        private uint _sequence = 1000;
        private uint _acknowledged;

        public void Open()
        {
            Put(Syn, []);
            byte[] answer = Next(vif, IsOurs);
            Assert.Equal(Syn | Ack, answer[47]);
            _sequence++;
            _acknowledged = BinaryPrimitives.ReadUInt32BigEndian(answer.AsSpan(38)) + 1;
            Put(Ack, []);
        }

        public void Send(byte[] bytes)
        {
            for (int at = 0; at < bytes.Length; at += Segment)
            {
                byte[] part = bytes[at..Math.Min(bytes.Length, at + Segment)];
                Put(Ack | Push, part);
                _sequence += (uint)part.Length;
            }
        }

        public void Finish()
        {
            Put(Fin | Ack, []);
            _sequence++;
        }

        public void ReceiveFinish() => Next(vif, frame => IsOurs(frame) && (frame[47] & Fin) != 0);

        public byte[] Receive(int count)
        {
            List<byte> bytes = [];
            while (bytes.Count < count)
            {
                byte[] segment = Next(vif, IsOurs);
                int end = 14 + BinaryPrimitives.ReadUInt16BigEndian(segment.AsSpan(16)), start = 34 + ((segment[46] >> 4) * 4);
                if (end > start && BinaryPrimitives.ReadUInt32BigEndian(segment.AsSpan(38)) == _acknowledged)
                {
                    bytes.AddRange(segment[start..end]);
                    _acknowledged += (uint)(end - start);
                    Put(Ack, []);
                }
            }

            return [.. bytes];
        }

        private bool IsOurs(byte[] frame) => frame.Length >= 54 && frame[12] == 8 && frame[13] == 0 && frame[23] == 6;

        private void Put(byte flags, byte[] payload)
        {
            byte[] frame = Packets.Transport(false, true, Packets.A, gateway, payload, blank: true, sourcePort: 40000, sequence: _sequence, tcpFlags: flags);
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(36), port);
            BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(42), _acknowledged);
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(48), 0xFFFF);
            Addressed(frame, Guest, Gateway);
            vif.Send(frame, new FrameOffload(CsumBlank: true));
        }
    }
}
