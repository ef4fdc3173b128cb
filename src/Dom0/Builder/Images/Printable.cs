namespace Xen.Builder.Images;

/// <summary>Makes text from a file fit for a message: short, and without control characters.</summary>
internal static class Printable
{
    private const int MaxLength = 60;

    public static string Quote(string text)
    {
        var shown = text.Length > MaxLength ? text[..MaxLength] + "..." : text;
        return string.Concat(shown.Select(c => c is >= ' ' and <= '~' ? c : '?'));
    }
}
