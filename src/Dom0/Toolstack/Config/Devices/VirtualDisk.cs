using System.Globalization;

namespace Xen.Toolstack;

/// <summary>A guest's block device: its name as people write it, and its number in xenstore.</summary>
/// <remarks>
/// The number's encodings (docs/misc/vbd-interface.txt of Xen):
/// <code>
/// 1 &lt;&lt; 28 | disk &lt;&lt; 8 | partition      xvd, disks or partitions of 16 and more
/// 202 &lt;&lt; 8 | disk &lt;&lt; 4 | partition     xvd
///   8 &lt;&lt; 8 | disk &lt;&lt; 4 | partition     sd
///   3 &lt;&lt; 8 | disk &lt;&lt; 6 | partition     hda, hdb
///  22 &lt;&lt; 8 | disk &lt;&lt; 6 | partition     hdc, hdd (disk counted from hdc)
/// </code>
/// </remarks>
/// <param name="Name">Such as xvda, xvda1, sdb, hdc.</param>
/// <param name="Number">The device's number: the last part of its paths in xenstore.</param>
public readonly record struct VirtualDisk(string Name, int Number)
{
    private const int Extended = 1 << 28;
    private const int MostExtendedDisks = 1 << 20;

    private static readonly string[] Kinds = ["xvd", "sd", "hd"];

    /// <summary>Reads a name (xvda1, sdb, hdc, d0p1) or a number (51712, 0xca00).</summary>
    public static bool TryParse(string text, out VirtualDisk disk)
    {
        ArgumentNullException.ThrowIfNull(text);
        string name = text.StartsWith("/dev/", StringComparison.Ordinal) ? text[5..] : text;
        disk = default;
        if (TryParseNumber(name, out int number))
            disk = new VirtualDisk(NameOf(number), number);
        else if (TryParseName(name, out number))
            disk = new VirtualDisk(name, number);
        return disk.Name is not null;
    }

    private static bool TryParseNumber(string text, out int number)
    {
        bool hex = text.StartsWith("0x", StringComparison.Ordinal);
        return int.TryParse(hex ? text[2..] : text, hex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= 0;
    }

    private static bool TryParseName(string name, out int number)
    {
        number = 0;
        if (name.Length > 1 && name[0] == 'd' && char.IsAsciiDigit(name[1]))
            return TryParsePlain(name, out number);
        string? kind = Kinds.FirstOrDefault(prefix => name.StartsWith(prefix, StringComparison.Ordinal));
        if (kind is null || !TryParseLetters(name.AsSpan(kind.Length), out int disk, out int partition))
            return false;
        int? found = kind switch
        {
            "xvd" => NumberOf(disk, partition),
            "sd" when disk < 16 && partition < 16 => (8 << 8) | (disk << 4) | partition,
            "hd" when disk < 2 && partition < 64 => (3 << 8) | (disk << 6) | partition,
            "hd" when disk < 4 && partition < 64 => (22 << 8) | ((disk - 2) << 6) | partition,
            _ => null,
        };
        number = found ?? 0;
        return found is not null;
    }

    /// <summary>d0p1: disk and partition by number.</summary>
    private static bool TryParsePlain(string name, out int number)
    {
        number = 0;
        string[] parts = name[1..].Split('p');
        int partition = 0;
        if (parts.Length > 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int disk) || disk >= MostExtendedDisks
            || (parts.Length == 2 && (!int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out partition) || partition > 255)))
            return false;
        number = NumberOf(disk, partition);
        return true;
    }

    private static bool TryParseLetters(ReadOnlySpan<char> text, out int disk, out int partition)
    {
        int letters = 0;
        disk = 0;
        partition = 0;
        while (letters < text.Length && char.IsAsciiLetterLower(text[letters]) && letters < 4)
            disk = (disk * 26) + (text[letters++] - 'a') + 1;
        disk--;
        ReadOnlySpan<char> rest = text[letters..];
        return letters > 0 && disk < MostExtendedDisks
            && (rest.IsEmpty || (rest[0] != '0' && int.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out partition) && partition <= 255));
    }

    private static int NumberOf(int disk, int partition) =>
        disk < 16 && partition < 16 ? (202 << 8) | (disk << 4) | partition : Extended | (disk << 8) | partition;

    private static string NameOf(int number)
    {
        (string kind, int disk, int partition) = (number >> 8) switch
        {
            >= Extended >> 8 => ("xvd", (number & (Extended - 1)) >> 8, number & 0xFF),
            202 => ("xvd", (number >> 4) & 15, number & 15),
            8 => ("sd", (number >> 4) & 15, number & 15),
            3 => ("hd", (number >> 6) & 3, number & 63),
            22 => ("hd", ((number >> 6) & 3) + 2, number & 63),
            _ => ("", 0, 0),
        };
        return kind.Length == 0
            ? number.ToString(CultureInfo.InvariantCulture)
            : kind + Letters(disk) + (partition == 0 ? "" : partition.ToString(CultureInfo.InvariantCulture));
    }

    private static string Letters(int disk)
    {
        string letters = "";
        for (int rest = disk + 1; rest > 0; rest = (rest - 1) / 26)
            letters = (char)('a' + ((rest - 1) % 26)) + letters;
        return letters;
    }
}
