using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Xen.Abi;

namespace Xen.XenStore;

/// <summary>Text and headers in messages. Text is bytes, taken as Latin-1 so that nothing is lost; numbers are decimal. <b>Source</b>: docs/misc/xenstore.txt.</summary>
internal static class WireText
{
    public const int HeaderSize = 16;

    public static string ToText(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    /// <summary>The bytes of a text; characters beyond Latin-1 become '?'.</summary>
    public static byte[] ToBytes(string text) => Encoding.Latin1.GetBytes(text);

    public static string ToText(long number) => number.ToString(CultureInfo.InvariantCulture);

    public static bool TryNumber(ReadOnlySpan<byte> text, out long number) =>
        Utf8Parser.TryParse(text, out number, out int used) && used == text.Length && used > 0;

    public static bool TryDomain(ReadOnlySpan<byte> text, out DomId domain)
    {
        bool ok = TryNumber(text, out long number) && number is >= 0 and <= ushort.MaxValue;
        domain = new DomId(ok ? (ushort)number : DomId.Invalid.Value);
        return ok;
    }

    public static XenStoreMessageHeader ReadHeader(ReadOnlySpan<byte> bytes) => new()
    {
        Type = (XenStoreMessageType)BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        ReqId = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
        TxId = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        Len = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
    };

    /// <summary>A message's bytes with the header written and room for the payload.</summary>
    public static byte[] NewMessage(XenStoreMessageType type, uint request, uint transaction, int length)
    {
        byte[] message = new byte[HeaderSize + length];
        BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)type);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(4), request);
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(8), transaction);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(12), length);
        return message;
    }

    /// <summary>The message of a watch event.</summary>
    public static byte[] NewEvent(string path, string token)
    {
        byte[] message = NewMessage(XenStoreMessageType.WatchEvent, 0, 0, path.Length + token.Length + 2);
        Encoding.Latin1.GetBytes(path, message.AsSpan(HeaderSize));
        Encoding.Latin1.GetBytes(token, message.AsSpan(HeaderSize + path.Length + 1));
        return message;
    }

    /// <summary>The name that an error has on the wire: EINVAL for those that xs_wire.h does not list.</summary>
    public static string ErrorName(XenErrno error) => error switch
    {
        XenErrno.EACCES => "EACCES",
        XenErrno.EEXIST => "EEXIST",
        XenErrno.EISDIR => "EISDIR",
        XenErrno.ENOENT => "ENOENT",
        XenErrno.ENOMEM => "ENOMEM",
        XenErrno.ENOSPC => "ENOSPC",
        XenErrno.EIO => "EIO",
        XenErrno.ENOTEMPTY => "ENOTEMPTY",
        XenErrno.ENOSYS => "ENOSYS",
        XenErrno.EROFS => "EROFS",
        XenErrno.EBUSY => "EBUSY",
        XenErrno.EAGAIN => "EAGAIN",
        XenErrno.EISCONN => "EISCONN",
        XenErrno.E2BIG => "E2BIG",
        XenErrno.EPERM => "EPERM",
        _ => "EINVAL",
    };
}
