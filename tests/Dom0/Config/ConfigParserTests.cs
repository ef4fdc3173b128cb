using Xen.Toolstack;

namespace Xen.Dom0.Tests.Config;

/// <summary>The language of configuration files: what Python would make of the literals, and nothing executed.</summary>
public sealed class ConfigParserTests
{
    [Theory]
    [InlineData("a = 1", "1")]
    [InlineData("a = 0x1F", "31")]
    [InlineData("a = 0o17", "15")]
    [InlineData("a = 017", "15")]
    [InlineData("a = 0b101", "5")]
    [InlineData("a = 1_000", "1000")]
    [InlineData("a = 256L", "256")]
    [InlineData("a = -5", "-5")]
    [InlineData("a = 1.5", "1.5")]
    [InlineData("a = 1e-3", "0.001")]
    [InlineData("a = 9223372036854775807", "9223372036854775807")]
    [InlineData("a = True", "True")]
    [InlineData("a = None", "None")]
    [InlineData("a = 'x'", "'x'")]
    [InlineData("a = \"x'y\"", "'x\\'y'")]
    [InlineData("a = 'it''s'", "'its'")]
    [InlineData("a = ('x'\n 'y'\n \"z\")", "'xyz'")]
    [InlineData("a = '''one\ntwo'''", "'one\\ntwo'")]
    [InlineData("a = \"\"\"say \"hi\" \"\"\"", "'say \"hi\" '")]
    [InlineData("a = r'C:\\n'", "'C:\\\\n'")]
    [InlineData("a = u'\\u00e9\\x41\\101\\t\\\\'", "'éAA\\t\\\\'")]
    [InlineData("a = 'a\\\nb'", "'ab'")]
    [InlineData("a = '\\q'", "'\\\\q'")]
    [InlineData("a = ['x', 'y',]", "['x', 'y']")]
    [InlineData("a = [\n  'x', # comment ]\n  [1, (2, 3)],\n]", "['x', [1, [2, 3]]]")]
    [InlineData("a = ()", "[]")]
    [InlineData("a = (1,)", "[1]")]
    [InlineData("a = (1)", "1")]
    [InlineData("a = {'k': 1, 2: [3]}", "{'k': 1, 2: [3]}")]
    [InlineData("a = 'x' + \\\n 'y'", "'xy'")]
    [InlineData("a = [1] + [2]", "[1, 2]")]
    [InlineData("a = 2 * 128 + 1", "257")]
    [InlineData("b = 'vm'; a = b + '-1'", "'vm-1'")]
    [InlineData("a = 'x'\na += 'y'", "'xy'")]
    [InlineData("a = 1\na = 2", "2")]
    [InlineData("a = 'phy:%s,%d,100%%' % ('vg', 3)", "'phy:vg,3,100%'")]
    [InlineData("a = 'n%x' % 255", "'nff'")]
    [InlineData("\ufeffa = 1\r\n", "1")]
    [InlineData("# only a comment\n\n  a = 1  # and one more", "1")]
    public void Parse_Literal_MeansWhatPythonMeans(string text, string expected)
    {
        ConfigAssignment last = ConfigParser.Parse(text).Assignments[^1];
        Assert.Equal("a", last.Name);
        Assert.Equal(expected, last.Value.ToString());
    }

    [Theory]
    [InlineData("import os", 1, 1, "Python code")]
    [InlineData("\nif True:\n  a = 1", 2, 1, "Python code")]
    [InlineData("def f(): pass", 1, 1, "Python code")]
    [InlineData("a = os.uname()", 1, 5, "Python code")]
    [InlineData("a = open('/etc/passwd')", 1, 5, "Python code")]
    [InlineData("a = 'x'.upper()", 1, 8, "Python code")]
    [InlineData("a = [1][0]", 1, 8, "Python code")]
    [InlineData("a = f'{x}'", 1, 5, "Python code")]
    [InlineData("print('x')", 1, 1, "Python code")]
    [InlineData("a = debian", 1, 5, "put it in quotes")]
    [InlineData("a = 'x", 1, 5, "no end")]
    [InlineData("a = '''x\n", 1, 5, "no end")]
    [InlineData("a = [1, 2", 1, 10, "expected ','")]
    [InlineData("a = 1 2", 1, 7, "end of the line")]
    [InlineData("a 1", 1, 3, "expected '='")]
    [InlineData("= 1", 1, 1, "expected a key")]
    [InlineData("a =", 1, 4, "expected a value")]
    [InlineData("a = 1 + 'x'", 1, 7, "cannot join an integer and a string")]
    [InlineData("a = 12abc", 1, 5, "neither a number nor a name")]
    [InlineData("a = 99999999999999999999", 1, 5, "too large")]
    [InlineData("a = 0xffffffffffffffff", 1, 5, "too large")]
    [InlineData("a = 9223372036854775807 + 1", 1, 25, "too large")]
    [InlineData("a = '\\x4'", 1, 6, "hexadecimal")]
    [InlineData("a = '\\0'", 1, 6, "no character")]
    [InlineData("a = '%s %s' % 'x'", 1, 13, "more values")]
    [InlineData("a = $x", 1, 5, "no meaning")]
    [InlineData("a = 1 \\ x", 1, 7, "backslash")]
    [InlineData("a = {'k' 1}", 1, 10, "expected ':'")]
    public void Parse_Wrong_SaysWhereAndWhy(string text, int line, int column, string why)
    {
        ConfigSyntaxException e = Assert.Throws<ConfigSyntaxException>(() => ConfigParser.Parse(text));
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.Equal(new ConfigPosition(line, column), e.Where);
    }

    [Theory]
    [InlineData("[")]
    [InlineData("(")]
    [InlineData("-")]
    [InlineData("{1:")]
    public void Hostile_DeepNesting_IsRefused(string bracket)
    {
        string text = "a = " + string.Concat(Enumerable.Repeat(bracket, 100_000));
        ConfigSyntaxException e = Assert.Throws<ConfigSyntaxException>(() => ConfigParser.Parse(text));
        Assert.Contains("nested", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a = 'x'", "a = a + a")]
    [InlineData("a = [1]", "a = [a, a]")]
    [InlineData("a = [1]", "a = a + a")]
    [InlineData("a = {1: 1}", "a = {1: a, 2: a}")]
    [InlineData("a = 'x'", "a = '%s%s' % (a, a)")]
    public void Hostile_ValueThatDoubles_IsRefusedEarly(string first, string doubling)
    {
        string text = first + string.Concat(Enumerable.Repeat("\n" + doubling, 200));
        ConfigSyntaxException e = Assert.Throws<ConfigSyntaxException>(() => ConfigParser.Parse(text));
        Assert.InRange(e.Where.Line, 10, 30);
    }

    [Fact]
    public void Hostile_RandomText_ParsesOrIsRefusedWithAPlace()
    {
        const string alphabet = "ab01'\"\\\n [](){},:=+-*%#.rxu;\t\r\0é";
        Random random = new(20241);
        int parsed = 0;
        for (int i = 0; i < 20_000; i++)
        {
            string text = "a = " + string.Create(random.Next(1, 24), random, (s, r) =>
            {
                for (int j = 0; j < s.Length; j++)
                    s[j] = alphabet[r.Next(alphabet.Length)];
            });
            try
            {
                ConfigParser.Parse(text);
                parsed++;
            }
            catch (ConfigSyntaxException e)
            {
                Assert.InRange(e.Where.Line, 1, text.Length + 1);
                Assert.InRange(e.Where.Column, 1, text.Length + 1);
            }
        }

        Assert.InRange(parsed, 1, 19_999);
    }

    [Theory]
    [InlineData("512", "512")]
    [InlineData("'a b'", "'a b'")]
    [InlineData("['x']", "['x']")]
    [InlineData("console=hvc0", null)]
    [InlineData("a b", null)]
    [InlineData("", null)]
    [InlineData("1\n2", null)]
    public void TryParseLiteral_TakesLiteralsOnly(string text, string? expected) =>
        Assert.Equal(expected, ConfigParser.TryParseLiteral(text)?.ToString());
}
