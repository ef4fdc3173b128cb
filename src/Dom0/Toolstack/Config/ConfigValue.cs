using System.Globalization;
using System.Text;

namespace Xen.Toolstack;

/// <summary>A value in a configuration file: what a Python literal can be. Lists and tuples are one kind.</summary>
public abstract record ConfigValue
{
    /// <summary>The kind, as error messages call it.</summary>
    public abstract string Kind { get; }

    /// <summary>How much there is to it with all that it holds; bounded by the parser, because values may be put together from others.</summary>
    internal virtual long Weight => 1;
}

/// <summary><c>None</c>: as if the key were not set.</summary>
public sealed record NoneValue : ConfigValue
{
    public override string Kind => "None";

    public override string ToString() => "None";
}

public sealed record BooleanValue(bool Value) : ConfigValue
{
    public override string Kind => "a truth value";

    public override string ToString() => Value ? "True" : "False";
}

public sealed record IntegerValue(long Value) : ConfigValue
{
    public override string Kind => "an integer";

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

public sealed record FloatValue(double Value) : ConfigValue
{
    public override string Kind => "a fraction";

    public override string ToString() => Value.ToString("R", CultureInfo.InvariantCulture);
}

public sealed record StringValue(string Value) : ConfigValue
{
    public override string Kind => "a string";

    internal override long Weight => 1 + (Value.Length / 16);

    /// <summary>As Python would write it, with single quotes.</summary>
    public override string ToString()
    {
        StringBuilder text = new("'");
        foreach (char c in Value)
        {
            _ = c switch
            {
                '\'' or '\\' => text.Append('\\').Append(c),
                '\n' => text.Append("\\n"),
                '\t' => text.Append("\\t"),
                < ' ' or '\x7f' => text.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}"),
                _ => text.Append(c),
            };
        }

        return text.Append('\'').ToString();
    }
}

public sealed record ListValue(IReadOnlyList<ConfigValue> Items) : ConfigValue
{
    public override string Kind => "a list";

    internal override long Weight { get; } = 1 + Items.Sum(i => i.Weight);

    public bool Equals(ListValue? other) => other is not null && Items.SequenceEqual(other.Items);

    public override int GetHashCode() => Items.Count;

    public override string ToString() => "[" + string.Join(", ", Items) + "]";
}

public sealed record DictionaryValue(IReadOnlyList<KeyValuePair<ConfigValue, ConfigValue>> Items) : ConfigValue
{
    public override string Kind => "a dictionary";

    internal override long Weight { get; } = 1 + Items.Sum(i => i.Key.Weight + i.Value.Weight);

    public bool Equals(DictionaryValue? other) => other is not null && Items.SequenceEqual(other.Items);

    public override int GetHashCode() => Items.Count;

    public override string ToString() => "{" + string.Join(", ", Items.Select(i => $"{i.Key}: {i.Value}")) + "}";
}
