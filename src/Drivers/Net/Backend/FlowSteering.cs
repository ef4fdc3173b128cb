using System.Buffers.Binary;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Backend;

/// <summary>How a frontend wants its flows spread, as one unchanging whole: the control ring replaces it, senders read it.</summary>
internal sealed record HashSettings
{
    /// <summary>As Linux's backend has them. <b>Units</b>: bytes.</summary>
    public const int MostKeyBytes = 40;

    /// <summary>Entries.</summary>
    public const int MostMappings = 128;

    public NetifHashAlgorithm Algorithm { get; init; }

    public NetifHashTypes Types { get; init; }

    public byte[] Key { get; init; } = [];

    /// <summary>The queue for each value of a hash, modulo the table's size. Empty: the hash modulo the number of queues.</summary>
    public uint[] Mapping { get; init; } = [];
}

/// <summary>Chooses the queue for a frame, so that the frames of one flow stay in order. Any thread.</summary>
internal sealed class FlowSteering(int queues)
{
    private volatile HashSettings _settings = new();

    public int Queues => queues;

    public HashSettings Settings
    {
        get => _settings;
        set => _settings = value;
    }

    /// <summary>The queue, and the hash to tell the guest where it asked for one.</summary>
    public int Choose(Frame frame, out NetifExtraInfo hash)
    {
        HashSettings settings = _settings;
        hash = default;
        if (settings.Algorithm == NetifHashAlgorithm.None || settings.Types == NetifHashTypes.None)
            return queues == 1 ? 0 : (int)(Mix(frame) % (uint)queues);
        uint value = 0;
        NetifHashTypes type = TypeOf(frame.Headers, settings.Types);
        if (type != NetifHashTypes.None)
        {
            value = Toeplitz(frame, type, settings.Key);
            hash = NetifExtraInfo.Hash((byte)uint.TrailingZeroCount((uint)type), settings.Algorithm, value);
        }

        uint[] mapping = settings.Mapping;
        uint queue = mapping.Length == 0 ? value % (uint)queues : mapping[value % (uint)mapping.Length];
        return (int)Math.Min(queue, (uint)queues - 1);
    }

    /// <summary>The hash that covers most of what was asked for.</summary>
    private static NetifHashTypes TypeOf(in PacketHeaders headers, NetifHashTypes wanted)
    {
        (NetifHashTypes withPorts, NetifHashTypes plain) = headers.Network switch
        {
            NetworkProtocol.IPv4 => (NetifHashTypes.IPv4Tcp, NetifHashTypes.IPv4),
            NetworkProtocol.IPv6 => (NetifHashTypes.IPv6Tcp, NetifHashTypes.IPv6),
            _ => (NetifHashTypes.None, NetifHashTypes.None),
        };
        return headers.Transport == TransportProtocol.Tcp && (wanted & withPorts) != 0 ? withPorts : wanted & plain;
    }

    private static uint Toeplitz(Frame frame, NetifHashTypes type, byte[] key)
    {
        ref readonly PacketHeaders headers = ref frame.Headers;
        Span<byte> data = stackalloc byte[36];
        bool v4 = headers.Network == NetworkProtocol.IPv4;
        int size = v4 ? 8 : 32;
        frame.Bytes.Slice(headers.NetworkOffset + (v4 ? 12 : 8), size).CopyTo(data);
        if ((type & (NetifHashTypes.IPv4Tcp | NetifHashTypes.IPv6Tcp)) != 0)
        {
            frame.Bytes.Slice(headers.TransportOffset, 4).CopyTo(data[size..]);
            size += 4;
        }

        return ToeplitzHash.Compute(key, data[..size]);
    }

    /// <summary>A quick hash of addresses and ports, or of the Ethernet addresses where there are none.</summary>
    private static uint Mix(Frame frame)
    {
        ref readonly PacketHeaders headers = ref frame.Headers;
        ReadOnlySpan<byte> bytes = frame.Bytes;
        (int offset, int size) = headers.Network switch
        {
            NetworkProtocol.IPv4 => (headers.NetworkOffset + 12, 8),
            NetworkProtocol.IPv6 => (headers.NetworkOffset + 8, 32),
            _ => (0, 12),
        };
        uint hash = Fold(2166136261, bytes.Slice(offset, size));
        if (headers.Transport != TransportProtocol.Other)
            hash = Fold(hash, bytes.Slice(headers.TransportOffset, 4));
        return hash ^ (hash >> 15);
    }

    private static uint Fold(uint hash, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 4; bytes = bytes[4..])
            hash = (hash ^ BinaryPrimitives.ReadUInt32LittleEndian(bytes)) * 0x9E3779B1;
        return hash ^ (hash >> 16);
    }
}
