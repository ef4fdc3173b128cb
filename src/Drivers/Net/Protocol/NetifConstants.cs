namespace Xen.Drivers.Net.Protocol;

/// <summary>Limits of the protocol. <b>Source</b>: io/netif.h.</summary>
public static class NetifLimits
{
    /// <summary>Slots of one frame that every backend takes, extra information not counted (XEN_NETIF_NR_SLOTS_MIN).</summary>
    public const int MinSlots = 18;

    /// <summary>The most bytes of a transmitted frame (XEN_NETIF_MAX_TX_SIZE).</summary>
    public const int MaxTxSize = 0xFFFF;

    /// <summary>The most bytes that a frontend may keep free before a received frame (XEN_NETIF_MAX_XDP_HEADROOM of Linux).</summary>
    public const int MaxXdpHeadroom = 0x7FFF;
}

/// <summary>Of a transmit slot. <b>Source</b>: io/netif.h, NETTXF_*.</summary>
[Flags]
public enum NetifTxFlags : ushort
{
    None = 0,

    /// <summary>The protocol's checksum is still to be computed.</summary>
    CsumBlank = 1 << 0,

    /// <summary>The bytes are known to fit their checksum.</summary>
    DataValidated = 1 << 1,

    /// <summary>The frame goes on in the next slot.</summary>
    MoreData = 1 << 2,

    /// <summary>Extra information follows this slot.</summary>
    ExtraInfo = 1 << 3,
}

/// <summary>Of a receive slot. <b>Source</b>: io/netif.h, NETRXF_*.</summary>
[Flags]
public enum NetifRxFlags : ushort
{
    None = 0,
    DataValidated = 1 << 0,
    CsumBlank = 1 << 1,
    MoreData = 1 << 2,
    ExtraInfo = 1 << 3,

    /// <summary>An old way to pass the size of segments; not used here.</summary>
    GsoPrefix = 1 << 4,
}

/// <summary>What became of a slot. <b>Source</b>: io/netif.h, NETIF_RSP_*.</summary>
public enum NetifStatus : short
{
    Dropped = -2,
    Error = -1,
    Okay = 0,

    /// <summary>The slot held extra information: this answers nothing.</summary>
    Null = 1,
}

/// <summary><b>Source</b>: io/netif.h, XEN_NETIF_EXTRA_TYPE_*; XDP as Linux has it.</summary>
public enum NetifExtraType : byte
{
    None = 0,
    Gso = 1,
    MulticastAdd = 2,
    MulticastDelete = 3,
    Hash = 4,
    Xdp = 5,
}

/// <summary><b>Source</b>: io/netif.h, XEN_NETIF_EXTRA_FLAG_*.</summary>
[Flags]
public enum NetifExtraFlags : byte
{
    None = 0,
    More = 1 << 0,
}

/// <summary>How a big packet is to be cut. <b>Source</b>: io/netif.h, XEN_NETIF_GSO_TYPE_*.</summary>
public enum NetifGsoType : byte
{
    None = 0,
    TcpV4 = 1,
    TcpV6 = 2,
}

/// <summary><b>Source</b>: io/netif.h, XEN_NETIF_CTRL_TYPE_*.</summary>
public enum NetifControlType : ushort
{
    Invalid = 0,
    GetHashFlags = 1,
    SetHashFlags = 2,
    SetHashKey = 3,
    GetHashMappingSize = 4,
    SetHashMappingSize = 5,
    SetHashMapping = 6,
    SetHashAlgorithm = 7,
    GetGrefMappingSize = 8,
    AddGrefMapping = 9,
    DelGrefMapping = 10,
}

/// <summary><b>Source</b>: io/netif.h, XEN_NETIF_CTRL_STATUS_*.</summary>
public enum NetifControlStatus : uint
{
    Success = 0,
    NotSupported = 1,
    InvalidParameter = 2,
    BufferOverflow = 3,
}

/// <summary><b>Source</b>: io/netif.h, XEN_NETIF_CTRL_HASH_ALGORITHM_*.</summary>
public enum NetifHashAlgorithm : byte
{
    None = 0,
    Toeplitz = 1,
}

/// <summary>Which headers a hash covers. <b>Source</b>: io/netif.h, XEN_NETIF_CTRL_HASH_TYPE_*.</summary>
[Flags]
public enum NetifHashTypes : uint
{
    None = 0,
    IPv4 = 1 << 0,
    IPv4Tcp = 1 << 1,
    IPv6 = 1 << 2,
    IPv6Tcp = 1 << 3,
    All = IPv4 | IPv4Tcp | IPv6 | IPv6Tcp,
}
