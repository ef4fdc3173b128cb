namespace Xen.Abi;

/// <summary>
/// Offsets at the start of a shared ring of requests and responses. Indices are 32 bits and wrap; a slot is the index
/// modulo the number of slots, a power of two. <b>Units</b>: bytes. <b>Source</b>: io/ring.h, struct name_sring.
/// </summary>
public static class RingLayout
{
    /// <summary>Written by the frontend.</summary>
    public const int ReqProd = 0;

    /// <summary>The producer index at which the backend wants an event; written by the backend.</summary>
    public const int ReqEvent = 4;

    /// <summary>Written by the backend.</summary>
    public const int RspProd = 8;

    /// <summary>The producer index at which the frontend wants an event; written by the frontend.</summary>
    public const int RspEvent = 12;

    /// <summary>Private to the protocol.</summary>
    public const int Pvt = 16;

    /// <summary>The first slot.</summary>
    public const int Ring = 64;
}

/// <summary>Names of a frontend's ring layout, in its "protocol" node. <b>Source</b>: io/protocols.h, XEN_IO_PROTO_ABI_*.</summary>
public static class IoProtocolAbi
{
    public const string X86_32 = "x86_32-abi";
    public const string X86_64 = "x86_64-abi";
    public const string Arm = "arm-abi";
    public const string Native = X86_64;
}
