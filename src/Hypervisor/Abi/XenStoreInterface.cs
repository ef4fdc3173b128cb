using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// Offsets in the xenstore ring page: a byte ring each way. <b>Units</b>: bytes.
/// <b>Source</b>: io/xs_wire.h, struct xenstore_domain_interface.
/// </summary>
public static class XenStoreInterfaceLayout
{
    /// <summary>Requests; written by the guest.</summary>
    public const int Req = 0;

    /// <summary>Replies and watch events; written by xenstored.</summary>
    public const int Rsp = 1024;

    /// <summary>Size of either ring (XENSTORE_RING_SIZE).</summary>
    public const int RingSize = 1024;

    /// <summary>Written by xenstored. Four bytes, as all that follow.</summary>
    public const int ReqCons = 2048;

    /// <summary>Written by the guest.</summary>
    public const int ReqProd = 2052;

    /// <summary>Written by the guest.</summary>
    public const int RspCons = 2056;

    /// <summary>Written by xenstored.</summary>
    public const int RspProd = 2060;

    /// <summary><see cref="XenStoreServerFeatures"/>; written before the guest starts.</summary>
    public const int ServerFeatures = 2064;

    /// <summary><see cref="XenStoreConnection"/>; the guest asks for a reconnect, xenstored confirms.</summary>
    public const int Connection = 2068;

    /// <summary><see cref="XenStoreRingError"/>; written by xenstored.</summary>
    public const int Error = 2072;

    public const int Size = 2076;
}

/// <summary><b>Source</b>: io/xs_wire.h, XENSTORE_SERVER_FEATURE_*.</summary>
[Flags]
public enum XenStoreServerFeatures : uint
{
    None = 0,
    Reconnection = 1,
    Error = 2,
}

/// <summary><b>Source</b>: io/xs_wire.h, XENSTORE_CONNECTED, XENSTORE_RECONNECT.</summary>
public enum XenStoreConnection : uint
{
    Connected = 0,
    Reconnect = 1,
}

/// <summary><b>Source</b>: io/xs_wire.h, XENSTORE_ERROR_*.</summary>
public enum XenStoreRingError : uint
{
    None = 0,
    Comm = 1,
    RingIdx = 2,
    Proto = 3,
}

/// <summary>The header before each xenstore message, on rings and sockets. <b>Source</b>: io/xs_wire.h, struct xsd_sockmsg.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct XenStoreMessageHeader
{
    public XenStoreMessageType Type;

    /// <summary>Echoed in the reply.</summary>
    public uint ReqId;

    /// <summary>The transaction; 0 for none.</summary>
    public uint TxId;

    /// <summary><b>Units</b>: bytes that follow.</summary>
    public uint Len;
}

/// <summary>Kinds of xenstore message. <b>Source</b>: io/xs_wire.h, enum xsd_sockmsg_type.</summary>
public enum XenStoreMessageType : uint
{
    Control = 0,
    Directory = 1,
    Read = 2,
    GetPerms = 3,
    Watch = 4,
    Unwatch = 5,
    TransactionStart = 6,
    TransactionEnd = 7,
    Introduce = 8,
    Release = 9,
    GetDomainPath = 10,
    Write = 11,
    Mkdir = 12,
    Rm = 13,
    SetPerms = 14,
    WatchEvent = 15,
    Error = 16,
    IsDomainIntroduced = 17,
    Resume = 18,
    SetTarget = 19,
    ResetWatches = 21,
    DirectoryPart = 22,

    /// <summary>Never a valid kind.</summary>
    Invalid = 0xffff,
}

/// <summary>Limits of the xenstore protocol. <b>Units</b>: bytes. <b>Source</b>: io/xs_wire.h.</summary>
public static class XenStoreLimits
{
    /// <summary>Most bytes after a header; more is a broken connection (XENSTORE_PAYLOAD_MAX).</summary>
    public const int PayloadMax = 4096;

    /// <summary>Longest absolute path; more is an error reply (XENSTORE_ABS_PATH_MAX).</summary>
    public const int AbsPathMax = 3072;

    /// <summary>Longest relative path (XENSTORE_REL_PATH_MAX).</summary>
    public const int RelPathMax = 2048;
}
