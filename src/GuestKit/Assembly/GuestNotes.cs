using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Xen.Abi;

namespace Xen.GuestKit.Assembly;

/// <summary>Writes what an image says about itself, as ELF notes or as the legacy string.</summary>
internal static class GuestNotes
{
    /// <summary>The notes, one after the other, each name and description padded to 4 bytes.</summary>
    public static byte[] AsElfNotes(GuestImageOptions options, ulong entry, ulong? hypercallPage)
    {
        using var stream = new MemoryStream();
        var owner = options.NoteOwner;
        AddString(stream, owner, ElfNoteType.GuestOs, options.GuestOs);
        AddString(stream, owner, ElfNoteType.XenVersion, options.XenVersion);
        AddString(stream, owner, ElfNoteType.Loader, options.Loader);
        AddString(stream, owner, ElfNoteType.Features, options.Features);
        AddNumber(stream, owner, ElfNoteType.VirtBase, options.StateVirtBase ? options.VirtBase : null);
        AddNumber(stream, owner, ElfNoteType.Entry, options.StateEntry ? entry : null);
        AddNumber(stream, owner, ElfNoteType.PaddrOffset, options.PaddrOffset);
        AddNumber(stream, owner, ElfNoteType.HypercallPage, hypercallPage);
        AddNumber(stream, owner, ElfNoteType.InitP2m, options.InitP2m);
        AddNumber(stream, owner, ElfNoteType.HvStartLow, options.HvStartLow);
        AddShort(stream, owner, ElfNoteType.ModStartPfn, options.ModStartPfn ? 1 : null);
        AddShort(stream, owner, ElfNoteType.SupportedFeatures, options.SupportedFeatures);
        AddShort(stream, owner, ElfNoteType.Phys32Entry, options.Phys32Entry);
        return stream.ToArray();
    }

    /// <summary>The legacy string; HYPERCALL_PAGE is a page number there.</summary>
    public static byte[] AsLegacyString(GuestImageOptions options, ulong entry, ulong? hypercallPage)
    {
        var items = new List<string>();
        void Add(string key, string? value)
        {
            if (value is not null)
            {
                items.Add(key + "=" + value);
            }
        }

        static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);
        Add("GUEST_OS", options.GuestOs);
        Add("XEN_VER", options.XenVersion);
        Add("LOADER", options.Loader);
        Add("FEATURES", options.Features);
        Add("VIRT_BASE", options.StateVirtBase ? Hex(options.VirtBase) : null);
        Add("VIRT_ENTRY", options.StateEntry ? Hex(entry) : null);
        Add("ELF_PADDR_OFFSET", Hex(options.PaddrOffset ?? 0)); // its default would be VIRT_BASE
        Add("HYPERCALL_PAGE", hypercallPage is { } page ? Hex((page - options.VirtBase) >> Page.Shift) : null);
        return Encoding.ASCII.GetBytes(string.Join(',', items) + "\0");
    }

    private static void AddString(MemoryStream stream, string owner, ElfNoteType type, string? value)
    {
        if (value is not null)
        {
            Add(stream, owner, type, Encoding.ASCII.GetBytes(value + "\0"));
        }
    }

    private static void AddNumber(MemoryStream stream, string owner, ElfNoteType type, ulong? value)
    {
        if (value is { } number)
        {
            var bytes = new byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, number);
            Add(stream, owner, type, bytes);
        }
    }

    private static void AddShort(MemoryStream stream, string owner, ElfNoteType type, uint? value)
    {
        if (value is { } number)
        {
            var bytes = new byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, number);
            Add(stream, owner, type, bytes);
        }
    }

    private static void Add(MemoryStream stream, string owner, ElfNoteType type, byte[] description)
    {
        var name = Encoding.ASCII.GetBytes(owner + "\0");
        Span<byte> header = stackalloc byte[12];
        BinaryPrimitives.WriteInt32LittleEndian(header, name.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], description.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], (uint)type);
        stream.Write(header);
        AddPadded(stream, name);
        AddPadded(stream, description);
    }

    private static void AddPadded(MemoryStream stream, byte[] bytes)
    {
        stream.Write(bytes);
        stream.Write(stackalloc byte[-bytes.Length & 3]);
    }
}
