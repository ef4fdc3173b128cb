using System.Globalization;
using System.Text;

namespace Xen.Toolstack;

/// <summary>What numbers are and what + - * % do with values, as in Python.</summary>
internal static class ConfigOperators
{
    /// <summary>A string or list that grows beyond this is no configuration.</summary>
    private const int MostLength = 1 << 16;

    /// <summary>The value of a number: decimal, 0x, 0o, 0b, a leading 0 (octal, as in Python 2), with _ and a final L allowed.</summary>
    public static ConfigValue Number(ConfigToken token)
    {
        string text = token.Text.Replace("_", "", StringComparison.Ordinal).TrimEnd('l', 'L');
        string digits = text.Length > 1 && text[0] == '0' ? text[1..] : text;
        try
        {
            if (text.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0)
                return new IntegerValue(digits.Length < text.Length ? Convert.ToInt64(digits, 8) : long.Parse(text, CultureInfo.InvariantCulture));
            if (digits.Length < text.Length && Radix(digits[0]) is int radix)
                return new IntegerValue(checked((long)Convert.ToUInt64(digits[1..], radix)));
            return new FloatValue(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture));
        }
        catch (OverflowException)
        {
            throw new ConfigSyntaxException(token.Where, $"the number {token.Text} is too large.");
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw new ConfigSyntaxException(token.Where, $"'{token.Text}' is neither a number nor a name; strings need quotes.");
        }
    }

    /// <summary>The value of <c>left op right</c>.</summary>
    public static ConfigValue Apply(ConfigToken op, ConfigValue left, ConfigValue right)
    {
        try
        {
            return (op.Text, left, right) switch
            {
                ("+", IntegerValue a, IntegerValue b) => new IntegerValue(checked(a.Value + b.Value)),
                ("-", IntegerValue a, IntegerValue b) => new IntegerValue(checked(a.Value - b.Value)),
                ("*", IntegerValue a, IntegerValue b) => new IntegerValue(checked(a.Value * b.Value)),
                ("+", StringValue a, StringValue b) => new StringValue(Bounded(op, a.Value + b.Value)),
                ("+", ListValue a, ListValue b) when a.Items.Count + b.Items.Count <= MostLength => new ListValue([.. a.Items, .. b.Items]),
                ("%", StringValue a, _) => new StringValue(Bounded(op, Format(op, a.Value, right))),
                _ => throw new ConfigSyntaxException(op.Where, $"'{op.Text}' cannot join {left.Kind} and {right.Kind}."),
            };
        }
        catch (OverflowException)
        {
            throw new ConfigSyntaxException(op.Where, "the result is too large a number.");
        }
    }

    private static int? Radix(char letter) => letter switch
    {
        'x' or 'X' => 16,
        'o' or 'O' => 8,
        'b' or 'B' => 2,
        _ => null,
    };

    private static string Bounded(ConfigToken op, string text) =>
        text.Length <= MostLength ? text : throw new ConfigSyntaxException(op.Where, $"this makes a string of more than {MostLength} characters.");

    private static string Format(ConfigToken op, string format, ConfigValue arguments)
    {
        IReadOnlyList<ConfigValue> items = arguments is ListValue list ? list.Items : [arguments];
        StringBuilder text = new();
        int used = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            char kind = ++i < format.Length ? format[i] : '\0';
            if (kind == '%')
                text.Append('%');
            else if (used < items.Count)
                text.Append(FormatOne(op, kind, items[used++]));
            else
                throw new ConfigSyntaxException(op.Where, "the string before '%' asks for more values than follow.");
        }

        return used == items.Count ? text.ToString() : throw new ConfigSyntaxException(op.Where, "more values follow '%' than its string asks for.");
    }

    private static string FormatOne(ConfigToken op, char kind, ConfigValue value) => (kind, value) switch
    {
        ('s', StringValue s) => s.Value,
        ('s' or 'r', _) => value.ToString(),
        ('d' or 'i' or 'u', IntegerValue i) => i.ToString(),
        ('x', IntegerValue i) => i.Value.ToString("x", CultureInfo.InvariantCulture),
        ('X', IntegerValue i) => i.Value.ToString("X", CultureInfo.InvariantCulture),
        _ => throw new ConfigSyntaxException(op.Where, $"'%{kind}' cannot show {value.Kind}; %s, %r, %d and %x are known."),
    };
}
