namespace Xen.Drivers.Block.Storage;

/// <summary>Numbers of the network block device protocol; big-endian on the wire. <b>Source</b>: the NBD project's doc/proto.md.</summary>
internal static class NbdProtocol
{
    /// <summary>What a server says first: "NBDMAGIC".</summary>
    public const ulong InitialMagic = 0x4e42444d41474943;

    /// <summary>What it says next, and what each option of the client begins with: "IHAVEOPT".</summary>
    public const ulong OptionMagic = 0x49484156454F5054;

    public const ulong OptionReplyMagic = 0x0003e889045565a9;
    public const uint RequestMagic = 0x25609513;
    public const uint SimpleReplyMagic = 0x67446698;

    /// <summary>Handshake flags of both sides: fixed newstyle, no padding with zeroes.</summary>
    public const ushort FixedNewstyle = 1, NoZeroes = 2;

    public const uint OptionExportName = 1, OptionGo = 7;
    public const uint ReplyAck = 1, ReplyInfo = 3, ReplyErrorBit = 0x80000000, ReplyUnsupported = 0x80000001;
    public const ushort InfoExport = 0, InfoBlockSize = 3;

    /// <summary>Sizes. <b>Units</b>: bytes.</summary>
    public const int RequestSize = 28, SimpleReplySize = 16, OptionHeaderSize = 16, OptionReplyHeaderSize = 20;
}

/// <summary>What a server offers. <b>Source</b>: doc/proto.md, NBD_FLAG_*.</summary>
[Flags]
internal enum NbdTransmissionFlags : ushort
{
    None = 0,
    HasFlags = 1,
    ReadOnly = 2,
    SendFlush = 4,
    SendFua = 8,
    Rotational = 16,
    SendTrim = 32,
}

/// <summary>A request. <b>Source</b>: doc/proto.md, NBD_CMD_*.</summary>
internal enum NbdCommand : ushort
{
    Read = 0,
    Write = 1,
    Disconnect = 2,
    Flush = 3,
    Trim = 4,
}

/// <summary>What the handshake told about the export.</summary>
/// <param name="Size">How much it holds. <b>Units</b>: bytes.</param>
/// <param name="Flags">What the server offers.</param>
/// <param name="MinimumBlock">The smallest part that it transfers. <b>Units</b>: bytes.</param>
internal readonly record struct NbdExport(long Size, NbdTransmissionFlags Flags, int MinimumBlock);
