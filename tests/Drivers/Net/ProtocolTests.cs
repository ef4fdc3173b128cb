using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Xen.Abi;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Tests.Net;

/// <summary>The messages are, byte for byte, what io/netif.h says.</summary>
public sealed class ProtocolTests
{
    private const string Header = "/usr/include/xen/io/netif.h";

    [Fact]
    public void TxRequest_HasTheLayoutOfTheHeader() => Same(
        [0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x0A, 0x00, 0x88, 0x77, 0xAA, 0x99],
        new NetifTxRequest { Gref = new GrantRef(0x11223344), Offset = 0x5566, Flags = NetifTxFlags.DataValidated | NetifTxFlags.ExtraInfo, Id = 0x7788, Size = 0x99AA });

    [Fact]
    public void TxResponse_HasTheLayoutOfTheHeader() => Same([0x22, 0x11, 0xFE, 0xFF], new NetifTxResponse { Id = 0x1122, Status = NetifStatus.Dropped });

    [Fact]
    public void RxRequest_HasTheLayoutOfTheHeader() => Same(
        [0x22, 0x11, 0, 0, 0x66, 0x55, 0x44, 0x33], new NetifRxRequest { Id = 0x1122, Gref = new GrantRef(0x33445566) });

    [Fact]
    public void RxResponse_HasTheLayoutOfTheHeader() => Same(
        [0x22, 0x11, 0x44, 0x33, 0x05, 0x00, 0xFF, 0xFF],
        new NetifRxResponse { Id = 0x1122, Offset = 0x3344, Flags = NetifRxFlags.DataValidated | NetifRxFlags.MoreData, Status = -1 });

    [Fact]
    public void ControlRequest_HasTheLayoutOfTheHeader() => Same(
        [0x22, 0x11, 0x03, 0x00, 4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9],
        new NetifControlRequest { Id = 0x1122, Type = NetifControlType.SetHashKey, Data0 = 0x01020304, Data1 = 0x05060708, Data2 = 0x090A0B0C });

    [Fact]
    public void ControlResponse_HasTheLayoutOfTheHeader() => Same(
        [0x22, 0x11, 0x0A, 0x00, 3, 0, 0, 0, 4, 3, 2, 1],
        new NetifControlResponse { Id = 0x1122, Type = NetifControlType.DelGrefMapping, Status = NetifControlStatus.BufferOverflow, Data = 0x01020304 });

    [Fact]
    public void Extras_HaveTheLayoutOfTheHeader()
    {
        SameExtra([1, 0, 0x78, 0x05, 2, 0, 0, 0], NetifExtraInfo.Gso(NetifGsoType.TcpV6, 0x0578));
        SameExtra([2, 0, 1, 2, 3, 4, 5, 6], NetifExtraInfo.Multicast(true, 0x010203040506));
        SameExtra([3, 0, 0x33, 0x33, 0, 0, 0, 1], NetifExtraInfo.Multicast(false, 0x333300000001));
        SameExtra([4, 0, 3, 1, 0x44, 0x33, 0x22, 0x11], NetifExtraInfo.Hash(3, NetifHashAlgorithm.Toeplitz, 0x11223344));
        SameExtra([5, 0, 0, 1, 0, 0, 0, 0], NetifExtraInfo.Xdp(256));
        NetifExtraInfo hash = NetifExtraInfo.From(NetifExtraInfo.Hash(3, NetifHashAlgorithm.Toeplitz, 0xDEADBEEF).AsTxSlot());
        Assert.Equal((3, NetifHashAlgorithm.Toeplitz, 0xDEADBEEF), (hash.HashType, hash.HashAlgorithm, hash.HashValue));
        NetifExtraInfo gso = NetifExtraInfo.From(NetifExtraInfo.Gso(NetifGsoType.TcpV4, 1460).AsRxSlot());
        Assert.Equal((NetifGsoType.TcpV4, 1460), (gso.GsoType, gso.GsoSize));
        Assert.Equal(0x01005E0000FBUL, NetifExtraInfo.From(NetifExtraInfo.Multicast(true, 0x01005E0000FB).AsTxSlot()).MulticastAddress);
    }

    [Theory]
    [InlineData("NETIF_RSP_DROPPED", (long)NetifStatus.Dropped)]
    [InlineData("NETIF_RSP_ERROR", (long)NetifStatus.Error)]
    [InlineData("NETIF_RSP_NULL", (long)NetifStatus.Null)]
    [InlineData("_NETTXF_csum_blank", 0)]
    [InlineData("_NETTXF_data_validated", 1)]
    [InlineData("_NETTXF_more_data", 2)]
    [InlineData("_NETTXF_extra_info", 3)]
    [InlineData("_NETRXF_data_validated", 0)]
    [InlineData("_NETRXF_csum_blank", 1)]
    [InlineData("_NETRXF_more_data", 2)]
    [InlineData("_NETRXF_extra_info", 3)]
    [InlineData("XEN_NETIF_NR_SLOTS_MIN", NetifLimits.MinSlots)]
    [InlineData("XEN_NETIF_MAX_TX_SIZE", NetifLimits.MaxTxSize)]
    [InlineData("XEN_NETIF_EXTRA_TYPE_GSO", (long)NetifExtraType.Gso)]
    [InlineData("XEN_NETIF_EXTRA_TYPE_MCAST_ADD", (long)NetifExtraType.MulticastAdd)]
    [InlineData("XEN_NETIF_EXTRA_TYPE_MCAST_DEL", (long)NetifExtraType.MulticastDelete)]
    [InlineData("XEN_NETIF_EXTRA_TYPE_HASH", (long)NetifExtraType.Hash)]
    [InlineData("XEN_NETIF_GSO_TYPE_TCPV4", (long)NetifGsoType.TcpV4)]
    [InlineData("XEN_NETIF_GSO_TYPE_TCPV6", (long)NetifGsoType.TcpV6)]
    [InlineData("XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS", (long)NetifControlType.GetHashFlags)]
    [InlineData("XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS", (long)NetifControlType.SetHashFlags)]
    [InlineData("XEN_NETIF_CTRL_TYPE_SET_HASH_KEY", (long)NetifControlType.SetHashKey)]
    [InlineData("XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE", (long)NetifControlType.GetHashMappingSize)]
    [InlineData("XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE", (long)NetifControlType.SetHashMappingSize)]
    [InlineData("XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING", (long)NetifControlType.SetHashMapping)]
    [InlineData("XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM", (long)NetifControlType.SetHashAlgorithm)]
    [InlineData("XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE", (long)NetifControlType.GetGrefMappingSize)]
    [InlineData("XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING", (long)NetifControlType.AddGrefMapping)]
    [InlineData("XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING", (long)NetifControlType.DelGrefMapping)]
    [InlineData("XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED", (long)NetifControlStatus.NotSupported)]
    [InlineData("XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER", (long)NetifControlStatus.InvalidParameter)]
    [InlineData("XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW", (long)NetifControlStatus.BufferOverflow)]
    [InlineData("XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ", (long)NetifHashAlgorithm.Toeplitz)]
    [InlineData("_XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP", 1)]
    [InlineData("_XEN_NETIF_CTRL_HASH_TYPE_IPV6", 2)]
    [InlineData("_XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP", 3)]
    public void Constants_AreThoseOfTheHeader(string name, long value)
    {
        Assert.True(File.Exists(Header), Header + " is missing: apt-get install libxen-dev");
        Match match = Regex.Match(File.ReadAllText(Header), $@"#define\s+{name}\s+\(?(-?(?:0x)?[0-9A-Fa-f]+)\)?");
        string text = match.Groups[1].Value;
        Assert.Equal(value, text.StartsWith("0x", StringComparison.Ordinal) ? Convert.ToInt64(text, 16) : long.Parse(text, System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>The verification suite that comes with the definition of receive-side scaling.</summary>
    [Theory]
    [InlineData("66.9.149.187", 2794, "161.142.100.80", 1766, 0x51ccc178, 0x323e8fc2)]
    [InlineData("199.92.111.2", 14230, "65.69.140.83", 4739, 0xc626b0ea, 0xd718262a)]
    [InlineData("24.19.198.95", 12898, "12.22.207.184", 38024, 0x5c2b394a, 0xd2d0a5de)]
    public void Toeplitz_GivesTheKnownAnswers(string source, int sourcePort, string destination, int destinationPort, uint withPorts, uint addressesOnly)
    {
        byte[] key =
        [
            0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
            0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
        ];
        byte[] data =
        [
            .. System.Net.IPAddress.Parse(source).GetAddressBytes(), .. System.Net.IPAddress.Parse(destination).GetAddressBytes(),
            (byte)(sourcePort >> 8), (byte)sourcePort, (byte)(destinationPort >> 8), (byte)destinationPort,
        ];
        Assert.Equal(withPorts, ToeplitzHash.Compute(key, data));
        Assert.Equal(addressesOnly, ToeplitzHash.Compute(key, data.AsSpan(0, 8)));
        Assert.Equal(0u, ToeplitzHash.Compute([], data));
    }

    [Fact]
    public void MacAddress_IsReadWrittenAndMade()
    {
        Assert.True(MacAddress.TryParse("00:16:3e:0A:bc:1", out MacAddress mac));
        Assert.Equal("00:16:3e:0a:bc:01", mac.ToString());
        Assert.All(["", "00:16:3e:0a:bc", "00:16:3e:0a:bc:01:02", "00-16-3e-0a-bc-01", "00:16:3e:0a:bc:g1", "00:16:3e:0a:bc:001", "00:16:3e:0a:bc: 1"],
            text => Assert.False(MacAddress.TryParse(text, out _)));
        for (int i = 0; i < 100; i++)
        {
            MacAddress made = MacAddress.Generate();
            Assert.True(made.IsStation);
            Assert.StartsWith("00:16:3e:", made.ToString(), StringComparison.Ordinal);
        }
    }

    private static void Same<T>(byte[] expected, T value)
        where T : unmanaged => Assert.Equal(expected, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray());

    private static void SameExtra(byte[] expected, NetifExtraInfo extra)
    {
        Same(expected, extra);
        Same([.. expected, 0, 0, 0, 0], extra.AsTxSlot());
        Same(expected, extra.AsRxSlot());
    }
}
