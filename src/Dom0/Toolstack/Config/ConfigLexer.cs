using System.Globalization;
using System.Text;

namespace Xen.Toolstack;

/// <summary>
/// Cuts a configuration text into tokens by Python's rules: comments, line continuation inside brackets and after a backslash,
/// the quotes ' " ''' """ with their prefixes and escapes.
/// </summary>
internal sealed class ConfigLexer(string text)
{
    private readonly List<ConfigToken> _tokens = [];
    private int _at;
    private int _line = 1;
    private int _lineStart;
    private int _brackets;

    private ConfigPosition Here => new(_line, _at - _lineStart + 1);

    private char Current => Peek(0);

    /// <summary>All tokens; the last one is <see cref="ConfigTokenKind.EndOfFile"/>.</summary>
    /// <exception cref="ConfigSyntaxException">The text has something that no token begins with.</exception>
    public List<ConfigToken> Read()
    {
        while (_at < text.Length)
            ReadOne();
        Add(ConfigTokenKind.EndOfLine, "", Here);
        Add(ConfigTokenKind.EndOfFile, "", Here);
        return _tokens;
    }

    private void ReadOne()
    {
        char c = Current;
        if (c == '\n')
        {
            if (_brackets == 0)
                Add(ConfigTokenKind.EndOfLine, "", Here);
            NextLine();
        }
        else if (c is ' ' or '\t' or '\r' or '\f' or '\ufeff')
            _at++;
        else if (c == '#')
            SkipComment();
        else if (c == '\\')
            ReadContinuation();
        else if (c is '\'' or '"' || IsPrefixedString())
            ReadString();
        else if (char.IsAsciiDigit(c) || (c == '.' && char.IsAsciiDigit(Peek(1))))
            ReadNumber();
        else if (char.IsLetter(c) || c == '_')
            ReadName();
        else
            ReadOperator();
    }

    private char Peek(int ahead) => _at + ahead < text.Length ? text[_at + ahead] : '\0';

    private void Add(ConfigTokenKind kind, string content, ConfigPosition where) => _tokens.Add(new ConfigToken(kind, content, where));

    private void NextLine()
    {
        _at++;
        _line++;
        _lineStart = _at;
    }

    private void SkipComment()
    {
        while (_at < text.Length && Current != '\n')
            _at++;
    }

    private void ReadContinuation()
    {
        ConfigPosition where = Here;
        _at++;
        if (Current == '\r')
            _at++;
        if (Current != '\n')
            throw new ConfigSyntaxException(where, "a backslash outside of a string must be the last character of its line.");
        NextLine();
    }

    private void ReadName()
    {
        int start = _at;
        ConfigPosition where = Here;
        while (char.IsLetterOrDigit(Current) || Current == '_')
            _at++;
        Add(ConfigTokenKind.Name, text[start.._at], where);
    }

    private void ReadNumber()
    {
        int start = _at;
        ConfigPosition where = Here;
        while (char.IsAsciiLetterOrDigit(Current) || Current is '_' or '.' || (Current is '+' or '-' && IsExponent(start)))
            _at++;
        Add(ConfigTokenKind.Number, text[start.._at], where);
    }

    private bool IsExponent(int start) =>
        text[_at - 1] is 'e' or 'E' && !text.AsSpan(start, _at - start).StartsWith("0x", StringComparison.OrdinalIgnoreCase);

    private void ReadOperator()
    {
        char c = Current;
        ConfigPosition where = Here;
        if (c == ';' && _brackets == 0)
        {
            Add(ConfigTokenKind.EndOfLine, "", where);
            _at++;
            return;
        }

        if (c == '+' && Peek(1) == '=')
        {
            Add(ConfigTokenKind.Operator, "+=", where);
            _at += 2;
            return;
        }

        if (!"=+-*/%()[]{},:.<>!&|^~@;".Contains(c, StringComparison.Ordinal))
            throw new ConfigSyntaxException(where, $"the character '{Printable(c)}' has no meaning here; strings need quotes.");
        if (c is '(' or '[' or '{')
            _brackets++;
        else if (c is ')' or ']' or '}' && _brackets > 0)
            _brackets--;
        Add(ConfigTokenKind.Operator, c.ToString(), where);
        _at++;
    }

    private static string Printable(char c) => char.IsControl(c) ? string.Create(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}") : c.ToString();

    private bool IsPrefixedString()
    {
        int n = 0;
        while (n < 2 && Peek(n) is 'r' or 'R' or 'u' or 'U' or 'b' or 'B' or 'f' or 'F')
            n++;
        return n > 0 && Peek(n) is '\'' or '"';
    }

    private void ReadString()
    {
        ConfigPosition where = Here;
        bool raw = false;
        for (; Current is not ('\'' or '"'); _at++)
        {
            raw |= Current is 'r' or 'R';
            if (Current is 'f' or 'F')
                throw new ConfigSyntaxException(where, "f-strings are Python code, which is not run here: write the string itself.");
        }

        char quote = Current;
        bool triple = Peek(1) == quote && Peek(2) == quote;
        _at += triple ? 3 : 1;
        StringBuilder content = new();
        while (!EndsString(quote, triple))
        {
            if (_at >= text.Length || (!triple && Current == '\n'))
                throw new ConfigSyntaxException(where, $"this string has no end: {(triple ? new string(quote, 3) : quote.ToString())} is missing.");
            ReadCharacter(content, raw);
        }

        _at += triple ? 3 : 1;
        Add(ConfigTokenKind.String, content.ToString(), where);
    }

    private bool EndsString(char quote, bool triple) => Current == quote && _at < text.Length && (!triple || (Peek(1) == quote && Peek(2) == quote));

    private void ReadCharacter(StringBuilder content, bool raw)
    {
        char c = Current;
        if (c == '\0')
            throw new ConfigSyntaxException(Here, "a zero byte cannot stand in a string.");
        if (c == '\\' && _at + 1 < text.Length)
        {
            ReadEscape(content, raw);
            return;
        }

        if (c == '\n')
            NextLine();
        else
            _at++;
        if (c != '\r' || Current != '\n')
            content.Append(c);
    }

    private void ReadEscape(StringBuilder content, bool raw)
    {
        ConfigPosition where = Here;
        _at++;
        char c = Current;
        if (raw)
        {
            // A raw string keeps the backslash and what follows it, a quote included.
            content.Append('\\').Append(c);
            Step();
            return;
        }

        const string plain = "\\'\"abfnrtv";
        const string meant = "\\'\"\a\b\f\n\r\t\v";
        int known = plain.IndexOf(c, StringComparison.Ordinal);
        if (known >= 0)
        {
            content.Append(meant[known]);
            _at++;
        }
        else if (c == '\n')
            NextLine();
        else if (c is >= '0' and <= '7')
            AppendCode(content, where, 8, 1, 3);
        else if (c is 'x' or 'u' or 'U')
        {
            _at++;
            int digits = c switch { 'x' => 2, 'u' => 4, _ => 8 };
            AppendCode(content, where, 16, digits, digits);
        }
        else
        {
            // As in Python: an escape that is none stays as it is.
            content.Append('\\').Append(c);
            _at++;
        }
    }

    private void Step()
    {
        if (Current == '\n')
            NextLine();
        else
            _at++;
    }

    private void AppendCode(StringBuilder content, ConfigPosition where, uint radix, int least, int most)
    {
        uint value = 0;
        int digits = 0;
        for (; digits < most && char.IsAsciiHexDigit(Current); digits++, _at++)
        {
            uint digit = (uint)Convert.ToInt32(Current.ToString(), 16);
            if (digit >= radix)
                break;
            value = (value * radix) + digit;
        }

        if (digits < least)
            throw new ConfigSyntaxException(where, $"this escape needs {least} hexadecimal digits.");
        if (!Rune.TryCreate(value, out Rune rune) || value == 0)
            throw new ConfigSyntaxException(where, "this escape stands for no character that a string may have.");
        content.Append(rune.ToString());
    }
}
