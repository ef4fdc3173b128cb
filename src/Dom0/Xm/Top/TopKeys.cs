namespace Xen.Xm;

/// <summary>A key of <c>xm top</c>.</summary>
internal enum TopKey
{
    /// <summary>A character, lower case.</summary>
    Character,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,

    /// <summary>Ctrl-C, which in raw mode is a key like others.</summary>
    Interrupt,
}

/// <summary>A key that was pressed.</summary>
internal readonly record struct TopKeyPress(TopKey Key, char Character = '\0');

/// <summary>Reads keys out of what a terminal sends. A sequence comes in one piece, but for what is typed by hand.</summary>
internal static class TopKeys
{
    private const byte EscapeByte = 0x1B, InterruptByte = 3, DeleteByte = 0x7F;

    public static IEnumerable<TopKeyPress> Decode(ReadOnlyMemory<byte> bytes)
    {
        for (int i = 0; i < bytes.Length;)
        {
            byte first = bytes.Span[i];
            if (first == EscapeByte && i + 1 < bytes.Length && bytes.Span[i + 1] is (byte)'[' or (byte)'O')
            {
                int end = i + 2;
                while (end < bytes.Length && bytes.Span[end] is < 0x40 or > 0x7E)
                    end++;
                if (end < bytes.Length && KeyOf(bytes.Span[(i + 2)..(end + 1)]) is { } key)
                    yield return new TopKeyPress(key);
                i = end + 1;
                continue;
            }

            i++;
            if (Single(first) is { } press)
                yield return press;
        }
    }

    private static TopKeyPress? Single(byte value) => value switch
    {
        InterruptByte => new TopKeyPress(TopKey.Interrupt),
        EscapeByte => new TopKeyPress(TopKey.Escape),
        (byte)'\r' or (byte)'\n' => new TopKeyPress(TopKey.Enter),
        (byte)'\b' or DeleteByte => new TopKeyPress(TopKey.Backspace),
        > 0x20 and < DeleteByte => new TopKeyPress(TopKey.Character, char.ToLowerInvariant((char)value)),
        _ => null,
    };

    private static TopKey? KeyOf(ReadOnlySpan<byte> sequence) => sequence switch
    {
        [(byte)'A'] => TopKey.Up,
        [(byte)'B'] => TopKey.Down,
        [(byte)'C'] => TopKey.Right,
        [(byte)'D'] => TopKey.Left,
        [(byte)'H'] or [(byte)'1', (byte)'~'] => TopKey.Home,
        [(byte)'F'] or [(byte)'4', (byte)'~'] => TopKey.End,
        [(byte)'5', (byte)'~'] => TopKey.PageUp,
        [(byte)'6', (byte)'~'] => TopKey.PageDown,
        _ => null,
    };
}
