using System.Globalization;

namespace Xen.Abi.Tests;

/// <summary>
/// What the public headers say, as <c>Golden/regenerate.sh</c> wrote it down. A line is one of
/// <code>
/// struct Type size            field Type.Field offset size
/// const Type.Name value       text Type.Name the rest of the line
/// </code>
/// </summary>
internal sealed class GoldenTable
{
    private GoldenTable()
    {
    }

    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Golden");

    public static string FilePath { get; } = Path.Combine(Folder, "layout.txt");

    /// <summary>Hash of the C sources that the table was made from.</summary>
    public string Source { get; private set; } = "";

    /// <summary>Sizes in bytes, by type.</summary>
    public Dictionary<string, int> Structs { get; } = [];

    /// <summary>Offset and size in bytes, by "Type.Field".</summary>
    public Dictionary<string, (int Offset, int Size)> Fields { get; } = [];

    /// <summary>Values, sign-extended to 64 bits, by "Type.Name".</summary>
    public Dictionary<string, ulong> Constants { get; } = [];

    /// <summary>Strings, by "Type.Name".</summary>
    public Dictionary<string, string> Texts { get; } = [];

    public static GoldenTable Load()
    {
        var table = new GoldenTable();
        foreach (string line in File.ReadLines(FilePath))
        {
            if (line.Length > 0 && line[0] != '#')
            {
                table.Add(line.Split(' '), line);
            }
        }

        return table;
    }

    private void Add(string[] words, string line)
    {
        switch (words[0])
        {
            case "source":
                Source = words[1];
                break;
            case "struct":
                Structs.Add(words[1], Number(words[2]));
                break;
            case "field":
                Fields.Add(words[1], (Number(words[2]), Number(words[3])));
                break;
            case "const":
                Constants.Add(words[1], Value(words[2]));
                break;
            case "text":
                Texts.Add(words[1], line[(words[0].Length + words[1].Length + 2)..]);
                break;
            default:
                throw new FormatException("layout.txt has a line of no known kind: " + line);
        }
    }

    private static int Number(string word) => int.Parse(word, CultureInfo.InvariantCulture);

    private static ulong Value(string word) => word.StartsWith("0x", StringComparison.Ordinal)
        ? ulong.Parse(word.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : unchecked((ulong)long.Parse(word, CultureInfo.InvariantCulture));
}
