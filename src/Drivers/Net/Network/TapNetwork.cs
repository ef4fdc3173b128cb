using System.Buffers.Binary;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Network;

/// <summary>Options of a vif that is a TAP device on the host.</summary>
/// <param name="DeviceName">The device's name on the host, such as vif3.0.</param>
/// <param name="Mac">The guest's address.</param>
public sealed record TapNetworkOptions(string DeviceName, MacAddress Mac)
{
    /// <summary>The bridge of the host's that the device joins; null leaves it alone, for the host to use.</summary>
    public string? Bridge { get; init; }

    /// <summary>The device's longest packet; null is the host's default.</summary>
    public int? Mtu { get; init; }

    /// <summary>Frames may come from other addresses than the guest's.</summary>
    public bool AllowOtherSources { get; init; }
}

/// <summary>
/// The host's own network, by a TAP device: needs CAP_NET_ADMIN. Checksums and big packets are passed on undone, both ways.
/// The device is there while the guest is connected.
/// </summary>
public sealed class TapNetwork(TapNetworkOptions options) : INetwork
{
    /// <inheritdoc/>
    public string? Connect(INetStation station, out INetPort? port)
    {
        string? error = TapDevice.Open(options.DeviceName, options.Bridge, options.Mtu, out TapDevice? device);
        port = device is null ? null : new Port(device, station, options);
        return error;
    }

    /// <summary>Nothing is held but by the port.</summary>
    public void Dispose()
    {
    }

    private sealed class Port : INetPort
    {
        private readonly TapDevice _device;
        private readonly INetStation _station;
        private readonly TapNetworkOptions _options;
        private readonly Thread _thread;
        private readonly Frame _received = new();
        private volatile bool _closed;

        public Port(TapDevice device, INetStation station, TapNetworkOptions options)
        {
            (_device, _station, _options) = (device, station, options);
            _thread = new Thread(Receive) { Name = "tap-" + device.Name, IsBackground = true };
            _thread.Start();
        }

        public void Send(Frame frame)
        {
            if (_closed || frame.Length == 0 || (!_options.AllowOtherSources && frame.Source != _options.Mac))
                return;
            frame.WritePseudoChecksum();
            Span<byte> bytes = frame.WithHeadroom(VnetHeader.Size).Span;
            VnetHeader.Write(bytes, frame);
            _device.Write(bytes);
        }

        public void Dispose()
        {
            if (_closed)
                return;
            _closed = true;
            _device.Stop();
            _thread.Join();
            _device.Dispose();
        }

        private void Receive()
        {
            while (!_closed)
            {
                int count = _device.Read(_received.RoomWithHeadroom(VnetHeader.Size));
                if (count == 0)
                {
                    if (!_closed)
                        _station.CarrierChanged(isUp: false, $"TAP device {_device.Name} is gone: somebody removed it; detach the interface and attach it again");
                    return;
                }

                if (count > VnetHeader.Size
                    && _received.Set(count - VnetHeader.Size, VnetHeader.Read(_received.RoomWithHeadroom(VnetHeader.Size)))
                    && !_closed)
                    _received.DeliverTo(_station, wait: true);
            }
        }
    }
}

/// <summary>What Linux puts before a frame of a TAP device. <b>Source</b>: linux/virtio_net.h, struct virtio_net_hdr.</summary>
internal static class VnetHeader
{
    public const int Size = TapDevice.HeaderSize;

    private const byte NeedsCsum = 1, DataValid = 2;
    private const byte GsoTcpV4 = 1, GsoTcpV6 = 4, GsoEcn = 0x80;

    public static void Write(Span<byte> header, Frame frame)
    {
        header[..Size].Clear();
        FrameOffload offload = frame.Offload;
        ref readonly PacketHeaders headers = ref frame.Headers;
        if (offload.CsumBlank)
        {
            header[0] = NeedsCsum;
            BinaryPrimitives.WriteUInt16LittleEndian(header[6..], (ushort)headers.TransportOffset);
            BinaryPrimitives.WriteUInt16LittleEndian(header[8..], (ushort)(headers.ChecksumOffset - headers.TransportOffset));
        }
        else if (offload.Validated)
        {
            header[0] = DataValid;
        }

        if (offload.Gso == NetifGsoType.None)
            return;
        header[1] = offload.Gso == NetifGsoType.TcpV4 ? GsoTcpV4 : GsoTcpV6;
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], (ushort)headers.PayloadOffset);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], offload.GsoSize);
    }

    public static FrameOffload Read(ReadOnlySpan<byte> header)
    {
        NetifGsoType gso = (header[1] & ~GsoEcn) switch
        {
            GsoTcpV4 => NetifGsoType.TcpV4,
            GsoTcpV6 => NetifGsoType.TcpV6,
            _ => NetifGsoType.None,
        };
        bool blank = (header[0] & NeedsCsum) != 0;
        return new FrameOffload(
            blank, blank || (header[0] & DataValid) != 0, gso, gso == NetifGsoType.None ? (ushort)0 : BinaryPrimitives.ReadUInt16LittleEndian(header[4..]));
    }
}
