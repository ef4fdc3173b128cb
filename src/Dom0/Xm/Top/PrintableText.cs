using System.Globalization;
using System.Text;

namespace Xen.Xm;

/// <summary>Text of others, such as a domain's name, as a terminal may be given it.</summary>
internal static class PrintableText
{
    /// <summary>The text with a question mark for what could move the cursor, change colours or the order of what is read, or is no character.</summary>
    public static string Of(string text)
    {
        var safe = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isSafe = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned) && rune != Rune.ReplacementChar;
            safe.Append(isSafe ? rune.ToString() : "?");
        }

        return safe.ToString();
    }
}
