using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Drivers.Net.Protocol;

// Read this first: the messages of the three rings of a network device. A frame is one or more slots; the transmit ring's slot has
// 12 bytes, the receive ring's 8, the control ring's 16. Extra information overlays a slot of either data ring (NetifExtraInfo).

/// <summary>One slot of a frame that the guest transmits.</summary>
/// <remarks>
/// The first slot's size is that of the whole frame, the others' are their own: the first fragment has what the others leave.
/// <b>Source</b>: io/netif.h, struct netif_tx_request.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public struct NetifTxRequest
{
    /// <summary>The page with the bytes.</summary>
    public GrantRef Gref;

    /// <summary>Where in the page they begin. <b>Units</b>: bytes.</summary>
    public ushort Offset;

    public NetifTxFlags Flags;

    /// <summary>Comes back in the response.</summary>
    public ushort Id;

    /// <summary>In the first slot the whole frame's, in others the fragment's. <b>Units</b>: bytes.</summary>
    public ushort Size;
}

/// <summary><b>Source</b>: io/netif.h, struct netif_tx_response.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NetifTxResponse
{
    public ushort Id;
    public NetifStatus Status;
}

/// <summary>A page in which the guest can receive. <b>Source</b>: io/netif.h, struct netif_rx_request.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NetifRxRequest
{
    public ushort Id;
    public ushort Pad;
    public GrantRef Gref;
}

/// <summary>
/// One slot of a frame that the guest receives. It stands in the slot of the request that it answers: frontends count on that.
/// <b>Source</b>: io/netif.h, struct netif_rx_response.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct NetifRxResponse
{
    public ushort Id;

    /// <summary>Where in the page the bytes begin. <b>Units</b>: bytes.</summary>
    public ushort Offset;

    public NetifRxFlags Flags;

    /// <summary>The fragment's size in bytes, or a negative <see cref="NetifStatus"/>.</summary>
    public short Status;
}

/// <summary>
/// What is to be known of a frame beyond its bytes; it stands in a slot after the frame's first.
/// <code>
///    0      1      2      3      4      5      6      7    octet
/// +------+------+------+------+------+------+------+------+
/// | type | flags| size (GSO)  |gtype |  0   |  features   |  GSO
/// | type | flags| address                                 |  MCAST_ADD, MCAST_DEL
/// | type | flags|htype | alg  | value, little endian      |  HASH
/// | type | flags| headroom    |      0                    |  XDP
/// +------+------+------+------+------+------+------+------+
/// </code>
/// <b>Source</b>: io/netif.h, struct netif_extra_info; XDP as Linux has it.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct NetifExtraInfo
{
    public NetifExtraType Type;
    public NetifExtraFlags Flags;

    /// <summary>Bytes 2 and 3.</summary>
    public ushort First;

    /// <summary>Bytes 4 and 5.</summary>
    public ushort Second;

    /// <summary>Bytes 6 and 7.</summary>
    public ushort Third;

    /// <summary>More extra information follows in the next slot.</summary>
    public readonly bool More => (Flags & NetifExtraFlags.More) != 0;

    /// <summary>Of GSO: the most payload of one segment. <b>Units</b>: bytes.</summary>
    public readonly ushort GsoSize => First;

    /// <summary>Of GSO.</summary>
    public readonly NetifGsoType GsoType => (NetifGsoType)(Second & 0xFF);

    /// <summary>Of MCAST_ADD and MCAST_DEL: the address, its first octet in the most significant of 48 bits.</summary>
    public readonly ulong MulticastAddress => (Swap(First) << 32) | (Swap(Second) << 16) | Swap(Third);

    /// <summary>Of HASH: the number (not the bit) of the type of hash.</summary>
    public readonly byte HashType => (byte)First;

    /// <summary>Of HASH.</summary>
    public readonly NetifHashAlgorithm HashAlgorithm => (NetifHashAlgorithm)(First >> 8);

    /// <summary>Of HASH.</summary>
    public readonly uint HashValue => Second | ((uint)Third << 16);

    /// <summary>Of XDP: free bytes before the frame's first. <b>Units</b>: bytes.</summary>
    public readonly ushort XdpHeadroom => First;

    public static NetifExtraInfo Gso(NetifGsoType type, ushort size) => new() { Type = NetifExtraType.Gso, First = size, Second = (byte)type };

    /// <param name="add">Add the address to the filter, or take it out.</param>
    /// <param name="address">As <see cref="MulticastAddress"/>.</param>
    public static NetifExtraInfo Multicast(bool add, ulong address) => new()
    {
        Type = add ? NetifExtraType.MulticastAdd : NetifExtraType.MulticastDelete,
        First = (ushort)Swap((ushort)(address >> 32)),
        Second = (ushort)Swap((ushort)(address >> 16)),
        Third = (ushort)Swap((ushort)address),
    };

    /// <param name="type">The number of the type of hash, not its bit.</param>
    /// <param name="algorithm">How it was computed.</param>
    /// <param name="value">The hash.</param>
    public static NetifExtraInfo Hash(byte type, NetifHashAlgorithm algorithm, uint value) => new()
    {
        Type = NetifExtraType.Hash,
        First = (ushort)(type | ((int)algorithm << 8)),
        Second = (ushort)value,
        Third = (ushort)(value >> 16),
    };

    public static NetifExtraInfo Xdp(ushort headroom) => new() { Type = NetifExtraType.Xdp, First = headroom };

    /// <summary>The extra information whose bytes a transmit slot holds.</summary>
    public static NetifExtraInfo From(in NetifTxRequest slot) => new()
    {
        Type = (NetifExtraType)(byte)slot.Gref.Value,
        Flags = (NetifExtraFlags)(byte)(slot.Gref.Value >> 8),
        First = (ushort)(slot.Gref.Value >> 16),
        Second = slot.Offset,
        Third = (ushort)slot.Flags,
    };

    /// <summary>The extra information whose bytes a receive slot holds.</summary>
    public static NetifExtraInfo From(in NetifRxResponse slot) => new()
    {
        Type = (NetifExtraType)(byte)slot.Id,
        Flags = (NetifExtraFlags)(byte)(slot.Id >> 8),
        First = slot.Offset,
        Second = (ushort)slot.Flags,
        Third = (ushort)slot.Status,
    };

    /// <summary>The transmit slot that has these bytes; what lies beyond them is zero.</summary>
    public readonly NetifTxRequest AsTxSlot() => new()
    {
        Gref = new GrantRef((byte)Type | ((uint)(byte)Flags << 8) | ((uint)First << 16)),
        Offset = Second,
        Flags = (NetifTxFlags)Third,
    };

    /// <summary>The receive slot that has these bytes.</summary>
    public readonly NetifRxResponse AsRxSlot() => new()
    {
        Id = (ushort)((byte)Type | ((byte)Flags << 8)),
        Offset = First,
        Flags = (NetifRxFlags)Second,
        Status = (short)Third,
    };

    private static ulong Swap(ushort value) => (ushort)((value << 8) | (value >> 8));
}

/// <summary><b>Source</b>: io/netif.h, struct xen_netif_ctrl_request.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NetifControlRequest
{
    public ushort Id;
    public NetifControlType Type;
    public uint Data0;
    public uint Data1;
    public uint Data2;
}

/// <summary><b>Source</b>: io/netif.h, struct xen_netif_ctrl_response.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NetifControlResponse
{
    public ushort Id;
    public NetifControlType Type;
    public NetifControlStatus Status;
    public uint Data;
}
