namespace Xen.Toolstack;

/// <summary>What a piece of a configuration file is.</summary>
internal enum ConfigTokenKind
{
    Name,
    Number,
    String,
    Operator,
    EndOfLine,
    EndOfFile,
}

/// <summary>A piece of a configuration file and where it stands.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">The name, the operator, the number as written, or the string's content with its escapes resolved.</param>
/// <param name="Where">Its first character.</param>
internal readonly record struct ConfigToken(ConfigTokenKind Kind, string Text, ConfigPosition Where)
{
    public bool Is(string op) => Kind == ConfigTokenKind.Operator && Text == op;

    /// <summary>As an error message shows it.</summary>
    public string Shown => Kind switch
    {
        ConfigTokenKind.EndOfLine => "the end of the line",
        ConfigTokenKind.EndOfFile => "the end of the file",
        ConfigTokenKind.String => "a string",
        _ => $"'{Text}'",
    };
}

/// <summary>A place in a configuration file, counted from 1.</summary>
internal readonly record struct ConfigPosition(int Line, int Column);

/// <summary>An error at a place in a configuration text; who knows the file's name turns it into a <see cref="ToolstackException"/>.</summary>
internal sealed class ConfigSyntaxException(ConfigPosition where, string message) : Exception(message)
{
    public ConfigPosition Where { get; } = where;
}
