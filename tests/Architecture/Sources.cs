using System.Text.RegularExpressions;

namespace Xen.Architecture.Tests;

/// <summary>The repository's source files, as the rules see them.</summary>
internal static class Sources
{
    public static string Root { get; } = FindRoot();

    /// <summary>C# files of a top folder, without what the build writes.</summary>
    public static IEnumerable<SourceFile> In(string folder) =>
        Files(folder, "*.cs").Select(path => new SourceFile(Path.GetRelativePath(Root, path), File.ReadAllText(path)));

    /// <summary>Files of a top folder, without what the build writes.</summary>
    public static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Where(path => !Regex.IsMatch(path, @"/(bin|obj)/"))
            .Order(StringComparer.Ordinal);

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Xen.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("the tests run outside of the repository");
    }
}

/// <param name="Path">From the repository's root.</param>
/// <param name="Text">The file as it is.</param>
internal sealed record SourceFile(string Path, string Text)
{
    /// <summary>The lines without comments and without what stands in strings.</summary>
    public IReadOnlyList<string> Code { get; } = Strip(Text).Split('\n');

    /// <summary>Where a pattern stands in the code: "path:line: text".</summary>
    public IEnumerable<string> Find(string pattern)
    {
        Regex regex = new(pattern);
        for (int i = 0; i < Code.Count; i++)
        {
            if (regex.IsMatch(Code[i]))
                yield return $"{Path}:{i + 1}: {Code[i].Trim()}";
        }
    }

    private static string Strip(string text) => Regex.Replace(
        text,
        """"(?s)"""+.*?"""+|@"(?:""|[^"])*"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'|//[^\n]*|/\*.*?\*/"""",
        match => match.Value[0] == '/' ? new string('\n', match.Value.Count(c => c == '\n')) : "\"" + new string('\n', match.Value.Count(c => c == '\n')) + "\"");
}
