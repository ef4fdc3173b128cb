namespace Xen.Toolstack;

/// <summary>One assignment of a configuration file.</summary>
internal sealed record ConfigAssignment(string Name, ConfigValue Value, ConfigPosition Where);

/// <summary>What a configuration file says, before anyone judged its keys.</summary>
/// <param name="Assignments">In order; a later one of the same name wins.</param>
/// <param name="Referenced">Names that other values were put together from: variables of the file's author, perhaps.</param>
internal sealed record ConfigDocument(IReadOnlyList<ConfigAssignment> Assignments, IReadOnlySet<string> Referenced);

/// <summary>
/// Parses the part of Python that configuration files are written in: assignments of literals, which may be put together with
/// + and % and from names assigned above. Nothing is executed; code is an error that says so.
/// </summary>
internal sealed class ConfigParser
{
    /// <summary>Deeper brackets than this are no configuration.</summary>
    private const int MostNesting = 32;

    /// <summary>More than this is no configuration either.</summary>
    private const int MostWeight = 1 << 16;

    private static readonly HashSet<string> Keywords =
    [
        "import", "from", "def", "class", "if", "elif", "else", "for", "while", "try", "except", "finally", "with", "lambda", "return",
        "print", "exec", "del", "global", "assert", "raise", "pass", "yield", "async", "await", "not", "and", "or", "is", "in",
    ];

    private readonly List<ConfigToken> _tokens;
    private readonly Dictionary<string, ConfigValue> _names = [];
    private readonly HashSet<string> _referenced = [];
    private int _at;
    private int _nesting;

    private ConfigParser(string text) => _tokens = new ConfigLexer(text).Read();

    private ConfigToken Current => _tokens[_at];

    /// <summary>Parses a whole file.</summary>
    /// <exception cref="ConfigSyntaxException">It is not such a file: where, and why.</exception>
    public static ConfigDocument Parse(string text) => new ConfigParser(text).ParseDocument();

    /// <summary>The text as one literal, or null if it is none: <c>512</c>, <c>'a b'</c>, <c>['x']</c>.</summary>
    public static ConfigValue? TryParseLiteral(string text)
    {
        try
        {
            ConfigParser parser = new(text);
            ConfigValue value = parser.ParseExpression();
            return parser.Current.Kind == ConfigTokenKind.EndOfLine && parser._at == parser._tokens.Count - 2 ? value : null;
        }
        catch (ConfigSyntaxException)
        {
            return null;
        }
    }

    private ConfigDocument ParseDocument()
    {
        List<ConfigAssignment> assignments = [];
        while (Current.Kind != ConfigTokenKind.EndOfFile)
        {
            if (Current.Kind == ConfigTokenKind.EndOfLine)
            {
                _at++;
                continue;
            }

            assignments.Add(ParseAssignment());
        }

        return new ConfigDocument(assignments, _referenced);
    }

    private ConfigAssignment ParseAssignment()
    {
        ConfigToken name = Take();
        if (name.Kind == ConfigTokenKind.Name && Keywords.Contains(name.Text))
            throw Code(name);
        if (name.Kind == ConfigTokenKind.Name && (Current.Is("(") || Current.Is(".") || Current.Is("[")))
            throw Code(name);
        if (name.Kind != ConfigTokenKind.Name)
            throw new ConfigSyntaxException(name.Where, $"expected a key, as in key = value, and found {name.Shown}.");
        ConfigToken op = Take();
        if (!op.Is("=") && !op.Is("+="))
            throw new ConfigSyntaxException(op.Where, $"expected '=' after {name.Text} and found {op.Shown}.");
        ConfigValue value = ParseExpression();
        if (Current.Kind != ConfigTokenKind.EndOfLine)
            throw new ConfigSyntaxException(Current.Where, $"expected the end of the line after the value of {name.Text} and found {Current.Shown}.");
        if (op.Is("+="))
            value = ConfigOperators.Apply(op with { Text = "+" }, Reference(name), value);
        _names[name.Text] = value;
        return new ConfigAssignment(name.Text, value, name.Where);
    }

    private ConfigToken Take() => _tokens[_at].Kind == ConfigTokenKind.EndOfFile ? _tokens[_at] : _tokens[_at++];

    private static ConfigSyntaxException Code(ConfigToken token) =>
        new(token.Where, $"'{token.Text}' begins Python code, which is not run here: write the value itself.");

    private ConfigValue ParseExpression()
    {
        ConfigValue left = ParseProduct();
        while (Current.Is("+") || Current.Is("-"))
            left = ConfigOperators.Apply(Take(), left, ParseProduct());
        return left;
    }

    private ConfigValue ParseProduct()
    {
        ConfigValue left = ParseUnary();
        while (Current.Is("*") || Current.Is("%"))
            left = ConfigOperators.Apply(Take(), left, ParseUnary());
        return left;
    }

    private ConfigValue ParseUnary()
    {
        if (!Current.Is("-") && !Current.Is("+"))
            return ParsePrimary();
        ConfigToken sign = Take();
        ConfigValue value = Nested(sign, ParseUnary);
        return (sign.Text, value) switch
        {
            ("+", IntegerValue or FloatValue) => value,
            ("-", IntegerValue i) => new IntegerValue(-i.Value),
            ("-", FloatValue f) => new FloatValue(-f.Value),
            _ => throw new ConfigSyntaxException(sign.Where, $"'{sign.Text}' stands before {value.Kind}, which is no number."),
        };
    }

    private ConfigValue ParsePrimary()
    {
        ConfigToken token = Take();
        ConfigValue value = token.Kind switch
        {
            ConfigTokenKind.String => ParseStrings(token),
            ConfigTokenKind.Number => ConfigOperators.Number(token),
            ConfigTokenKind.Name => ParseName(token),
            ConfigTokenKind.Operator when token.Text == "[" => new ListValue(Nested(token, () => ParseItems("]"))),
            ConfigTokenKind.Operator when token.Text == "(" => Nested(token, ParseParenthesis),
            ConfigTokenKind.Operator when token.Text == "{" => new DictionaryValue(Nested(token, ParsePairs)),
            _ => throw new ConfigSyntaxException(token.Where, $"expected a value and found {token.Shown}."),
        };
        if (value.Weight > MostWeight)
            throw new ConfigSyntaxException(token.Where, "this value is too large for a configuration.");
        if (Current.Is("(") || Current.Is(".") || Current.Is("["))
            throw new ConfigSyntaxException(Current.Where, $"'{Current.Text}' after a value is Python code, which is not run here: write the value itself.");
        return value;
    }

    private T Nested<T>(ConfigToken opening, Func<T> parse)
    {
        if (++_nesting > MostNesting)
            throw new ConfigSyntaxException(opening.Where, $"brackets are nested deeper than {MostNesting}.");
        T value = parse();
        _nesting--;
        return value;
    }

    private StringValue ParseStrings(ConfigToken first)
    {
        // Strings that stand side by side are one.
        string text = first.Text;
        while (Current.Kind == ConfigTokenKind.String)
            text += Take().Text;
        return new StringValue(text);
    }

    private ConfigValue ParseName(ConfigToken name) => name.Text switch
    {
        "True" => new BooleanValue(true),
        "False" => new BooleanValue(false),
        "None" => new NoneValue(),
        _ when Keywords.Contains(name.Text) => throw Code(name),
        _ when Current.Is("(") || Current.Is(".") => throw Code(name),
        _ => Reference(name),
    };

    private ConfigValue Reference(ConfigToken name)
    {
        _referenced.Add(name.Text);
        return _names.TryGetValue(name.Text, out ConfigValue? value)
            ? value
            : throw new ConfigSyntaxException(name.Where, $"'{name.Text}' is not assigned above; if it is a string, put it in quotes.");
    }

    private List<ConfigValue> ParseItems(string close)
    {
        List<ConfigValue> items = [];
        while (!Current.Is(close))
        {
            items.Add(ParseExpression());
            ExpectCommaOr(close);
        }

        _at++;
        return items;
    }

    private void ExpectCommaOr(string close)
    {
        if (Current.Is(","))
            _at++;
        else if (!Current.Is(close))
            throw new ConfigSyntaxException(Current.Where, $"expected ',' or '{close}' and found {Current.Shown}.");
    }

    private ConfigValue ParseParenthesis()
    {
        if (Current.Is(")"))
            return new ListValue(ParseItems(")"));
        ConfigValue first = ParseExpression();
        if (Current.Is(")"))
        {
            _at++;
            return first;
        }

        ExpectCommaOr(")");
        return new ListValue([first, .. ParseItems(")")]);
    }

    private List<KeyValuePair<ConfigValue, ConfigValue>> ParsePairs()
    {
        List<KeyValuePair<ConfigValue, ConfigValue>> pairs = [];
        while (!Current.Is("}"))
        {
            ConfigValue key = ParseExpression();
            if (!Current.Is(":"))
                throw new ConfigSyntaxException(Current.Where, $"expected ':' after a dictionary's key and found {Current.Shown}.");
            _at++;
            pairs.Add(new(key, ParseExpression()));
            ExpectCommaOr("}");
        }

        _at++;
        return pairs;
    }
}
