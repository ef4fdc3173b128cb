using System.Globalization;
using System.Text;

namespace Xen.Service;

/// <summary>Text that somebody else wrote, for logs and messages: on one line, with nothing in it that a terminal would obey, and not endless.</summary>
internal static class PrintableText
{
    /// <summary>The text with a question mark for what cannot be seen, and its end left out where it is longer.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">Characters that are kept.</param>
    /// <param name="keepLines">Lines stay lines.</param>
    public static string Of(string text, int most, bool keepLines = false)
    {
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

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned);
}
