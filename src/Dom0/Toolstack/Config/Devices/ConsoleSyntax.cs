using System.Globalization;
using System.Text.RegularExpressions;

namespace Xen.Toolstack;

/// <summary>Reads an entry of <c>console=</c>: parts separated by commas, <c>log</c>, <c>log=PATH</c>, <c>log_size=4M</c>, <c>name=NAME</c>.</summary>
internal static partial class ConsoleSyntax
{
    private const long LeastLogBytes = 4096, MostLogBytes = 1L << 40;

    /// <returns>Null, or what is wrong: the end of a sentence.</returns>
    public static string? Parse(string text, out ConsoleConfig? console)
    {
        console = null;
        var made = new ConsoleConfig();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? part : part[..equals].Trim();
            string? fault = Read(key, equals < 0 ? null : part[(equals + 1)..].Trim(), ref made);
            if (fault is not null)
                return fault;
        }

        console = made;
        return null;
    }

    private static string? Read(string key, string? value, ref ConsoleConfig console)
    {
        switch (key)
        {
            case "log":
                console = console with { IsLogged = true, LogPath = value };
                return value is { Length: 0 } || value?.Contains('\0', StringComparison.Ordinal) == true ? "log= needs the path of a file; log alone takes the usual one" : null;
            case "log_size":
                bool isSize = TryReadSize(value, out long bytes);
                console = console with { LogBytes = bytes };
                return isSize ? null : $"log_size must be a size from 4K to 1024G, like 4M, and is '{value}'";
            case "name":
                console = console with { Name = value };
                return value is not null && NamePattern().IsMatch(value) ? null : $"name must be 1 to 63 letters, digits or _ - ., and is '{value}'";
            default:
                return $"'{key}' is no key of a console: those are log, log_size and name";
        }
    }

    private static bool TryReadSize(string? text, out long bytes)
    {
        bytes = 0;
        if (string.IsNullOrEmpty(text))
            return false;
        int shift = char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, 'G' => 30, _ => 0 };
        string digits = shift == 0 ? text : text[..^1];
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long count) || count > MostLogBytes >> shift)
            return false;
        bytes = count << shift;
        return bytes >= LeastLogBytes;
    }

    [GeneratedRegex("^[A-Za-z0-9_.-]{1,63}$")]
    private static partial Regex NamePattern();
}
