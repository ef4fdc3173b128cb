namespace Xen.Toolstack;

/// <summary>What a domain may be called.</summary>
public static class DomainNameSyntax
{
    /// <summary>The longest, in characters.</summary>
    public const int Most = 64;

    /// <summary>The rule, as the end of a sentence.</summary>
    public const string Rule = "1 to 64 letters, digits or _ - . : +, not digits alone and not beginning with '.' or '-'";

    /// <summary>Whether it is a name: no path, no option, and no domain's number.</summary>
    public static bool IsLawful(string name) =>
        name.Length is > 0 and <= Most && name.All(static c => char.IsAsciiLetterOrDigit(c) || "_-.:+".Contains(c, StringComparison.Ordinal))
        && !name.All(char.IsAsciiDigit) && name[0] is not ('.' or '-');
}
