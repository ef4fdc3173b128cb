using System.Globalization;
using System.Text;

namespace Xen.Contract;

/// <summary>Text that somebody else wrote, for logs, messages and terminals: on one line, with nothing in it that a terminal would obey, and not endless.</summary>
public static class PrintableText
{
    /// <summary>The text with a question mark for what could move a cursor, change colours or the order of what is read, or is no character, and its end left out where it is longer.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">Characters that are kept.</param>
    /// <param name="keepLines">Lines stay lines.</param>
    public static string Of(string text, int most = int.MaxValue, bool keepLines = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        ReadOnlySpan<char> kept = text.AsSpan(0, Math.Min(text.Length, most));
        var printable = new StringBuilder(kept.Length);
        foreach (Rune rune in kept.EnumerateRunes())
        {
            // Half of a pair of surrogates comes as U+FFFD.
            if (IsPrintable(rune) || (keepLines && rune.Value == '\n'))
                printable.Append(rune.ToString());
            else
                printable.Append('?');
        }

        return printable.Append(text.Length > most ? "..." : "").ToString();
    }

    private static bool IsPrintable(Rune rune) => rune != Rune.ReplacementChar && Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned);
}
