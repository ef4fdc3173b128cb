namespace Xen.Architecture.Tests;

/// <summary>Rules about the text of the sources that no compiler checks.</summary>
public sealed class SourceTests
{
    private const int MostLines = 700;

    private const string UnsafeWords = @"\bunsafe\b|\bUnsafe\.|\bMemoryMarshal\b|\bMarshal\.|\bfixed\s*\(";

    /// <summary>A static field that is not readonly: no parenthesis, brace or arrow before its end or its value.</summary>
    private const string MutableStatic =
        @"^\s*(?:\[[^\]]*\]\s*)?(?:(?:public|private|internal|protected|new|unsafe|volatile)\s+)*static\s+" +
        @"(?!.*\breadonly\b)(?!class\b|extern\b|partial\b|abstract\b|virtual\b|implicit\b|explicit\b)[\w<>\[\]?.,* ]+(?:;|=\s)";

    private static readonly SourceFile[] Product = [.. Sources.In("src")];
    private static readonly SourceFile[] Everything = [.. Product, .. Sources.In("tests")];

    [Fact]
    public void UnsafeCode_StandsInFilesNamedSo() => Assert.Empty(
        Product.Where(f => !IsUnsafe(f)).SelectMany(f => f.Find(UnsafeWords)));

    [Fact]
    public void UnsafeFiles_SayWhyTheyAreSafe() => Assert.Empty(
        Product.Where(f => IsUnsafe(f) && !f.Text.Contains("// SAFETY:", StringComparison.Ordinal)).Select(f => f.Path));

    [Fact]
    public void Files_HaveOneJobEach() => Assert.Empty(
        Product.Where(f => f.Code.Count > MostLines).Select(f => $"{f.Path} has {f.Code.Count} lines, {MostLines} are the most"));

    [Fact]
    public void StaticFields_AreReadOnly() => Assert.Empty(
        Product.SelectMany(f => f.Find(MutableStatic)));

    [Fact]
    public void Work_IsDoneOrNotThere() => Assert.Empty(
        Everything.SelectMany(f => f.Find(@"\bNotImplementedException\b|\bSkip\s*=")).Concat(
            Everything.Where(f => f.Path != "tests/Architecture/SourceTests.cs").SelectMany(f => Marked(f, "TODO", "FIXME", "XXX"))));

    [Fact]
    public void Tests_WaitForWhatHappensAndDoNotSleep() => Assert.Empty(
        Sources.In("tests").SelectMany(f => f.Find(@"\bThread\.Sleep\b|\bTask\.Delay\(\s*\d")));

    [Fact]
    public void Repository_HasWhatAVisitorLooksFor() => Assert.All(
        ["README.md", "CHANGELOG.md", "xm", "demo", "test", ".ci/run", "docs/architecture.md", "examples/debian.cfg", "docs/man/xm.1", "docs/man/xmdomain.cfg.5"],
        path => Assert.True(File.Exists(Path.Combine(Sources.Root, path)), path + " is missing"));

    [Theory]
    [InlineData("    unsafe { }", true)]
    [InlineData("    ref int r = ref Unsafe.As<byte, int>(ref b);", true)]
    [InlineData("    // unsafe in a comment", false)]
    [InlineData("    string s = \"unsafe\"; /* unsafe */", false)]
    [InlineData("    _unsafely = 1;", false)]
    public void UnsafeRule_FindsCodeOnly(string line, bool found) => Assert.Equal(found, new SourceFile("x.cs", line).Find(UnsafeWords).Any());

    [Theory]
    [InlineData("    private static int _count;", true)]
    [InlineData("    [ThreadStatic] private static byte[]? _buffer = null;", true)]
    [InlineData("    internal static Dictionary<int, string> Names = [];", true)]
    [InlineData("    private static readonly int Count = 1;", false)]
    [InlineData("    public static int Count => 1;", false)]
    [InlineData("    public static string Root { get; } = Find();", false)]
    [InlineData("    private static int Add(int a, int b = 1)", false)]
    [InlineData("    private static partial int close(int fd);", false)]
    [InlineData("    public static bool operator ==(X a, X b) => true;", false)]
    public void StaticRule_FindsFieldsThatChange(string line, bool found) => Assert.Equal(found, new SourceFile("x.cs", line).Find(MutableStatic).Any());

    private static bool IsUnsafe(SourceFile file) => file.Path.EndsWith(".Unsafe.cs", StringComparison.Ordinal);

    private static IEnumerable<string> Marked(SourceFile file, params string[] marks) =>
        file.Text.Split('\n')
            .Select((line, i) => (line, where: $"{file.Path}:{i + 1}"))
            .Where(l => marks.Any(m => l.line.Contains(m, StringComparison.Ordinal)))
            .Select(l => $"{l.where}: {l.line.Trim()}");
}
