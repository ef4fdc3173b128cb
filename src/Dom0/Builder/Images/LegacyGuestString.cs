using System.Globalization;
using System.Text;

namespace Xen.Builder.Images;

/// <summary>
/// Reads the string that kernels before ELF notes have in their section <c>__xen_guest</c>: KEY=VALUE pairs with commas between.
/// <b>Source</b>: elfnote.h, the LEGACY remarks.
/// </summary>
internal static class LegacyGuestString
{
    private const int MaxLength = 4096;

    /// <exception cref="ImageException">A value is not a number where one should be, or a required feature is missing.</exception>
    public static XenNotes Read(string file, ReadOnlySpan<byte> section)
    {
        section = section[..Math.Min(section.Length, MaxLength)];
        var end = section.IndexOf((byte)0);
        var text = Encoding.ASCII.GetString(end < 0 ? section : section[..end]);
        var notes = new XenNotes { Legacy = true };
        foreach (var item in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = item.IndexOf('=', StringComparison.Ordinal);
            notes = equals < 0 ? Add(file, notes, item, "") : Add(file, notes, item[..equals], item[(equals + 1)..]);
        }

        // Here the default is VIRT_BASE, for these kernels wrote virtual addresses into p_paddr.
        return notes.PaddrOffset is null ? notes with { PaddrOffset = notes.VirtBase } : notes;
    }

    private static XenNotes Add(string file, XenNotes notes, string key, string value) => key switch
    {
        "VIRT_ENTRY" => notes with { Entry = Number(file, key, value) },
        "VIRT_BASE" => notes with { VirtBase = Number(file, key, value) },
        "ELF_PADDR_OFFSET" => notes with { PaddrOffset = Number(file, key, value) },
        "HYPERCALL_PAGE" => notes with { HypercallPage = Number(file, key, value) },
        "HV_START_LOW" => notes with { HvStartLow = Number(file, key, value) },
        "INIT_P2M" => notes with { InitP2m = Number(file, key, value) },
        "XEN_VER" => notes with { XenVersion = value },
        "GUEST_OS" => notes with { GuestOs = value },
        "GUEST_VER" => notes with { GuestVersion = value },
        "LOADER" => notes with { Loader = value },
        "PAE" => notes with { PaeMode = value },
        "BSD_SYMTAB" => notes with { BsdSymtab = true },
        "FEATURES" => notes with { Features = KernelFeatures.Parse(file, value) },
        _ => notes,
    };

    private static ulong Number(string file, string key, string value)
    {
        var parsed = value.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? ulong.TryParse(value.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)
            : ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return parsed
            ? number
            : throw ImageException.Malformed(file, $"its __xen_guest string has {key}={Printable.Quote(value)}, which is not a number");
    }
}
