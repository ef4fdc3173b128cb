using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Xen.Architecture.Tests;

/// <summary>Dependencies point one way, as docs/architecture.md draws them.</summary>
public sealed class DependencyTests
{
    /// <summary>For each project, by its root namespace, those that it may name. What is not listed here may name nothing.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Xen.Abi"] = [],
        ["Xen.Memory"] = ["Xen.Abi"],
        ["Xen.Cpu"] = ["Xen.Abi", "Xen.Memory"],
        ["Xen.Translator"] = ["Xen.Abi", "Xen.Memory", "Xen.Cpu"],
        ["Xen.Core"] = ["Xen.Abi", "Xen.Memory", "Xen.Cpu"],
        ["Xen.Rings"] = ["Xen.Abi", "Xen.Memory"],
        ["Xen.Drivers.Block"] = ["Xen.Abi", "Xen.Rings"],
        ["Xen.Drivers.Console"] = ["Xen.Abi", "Xen.Rings"],
        ["Xen.Drivers.Net"] = ["Xen.Abi", "Xen.Rings"],
        ["Xen.GuestKit.Assembly"] = ["Xen.Abi"],
        ["Xen.GuestKit.Harness"] = ["Xen.Abi", "Xen.Rings"],
        ["Xen.Builder"] = ["Xen.Abi"],
        ["Xen.XenStore"] = ["Xen.Abi", "Xen.Rings"],
        ["Xen.Toolstack"] =
        [
            "Xen.Abi", "Xen.Memory", "Xen.Cpu", "Xen.Translator", "Xen.Core", "Xen.Rings", "Xen.Drivers.Console",
            "Xen.Drivers.Block", "Xen.Drivers.Net", "Xen.Builder", "Xen.XenStore",
        ],
        ["Xen.Contract"] = [],
        ["Xen.Service"] = ["Xen.Contract", "Xen.Toolstack"],
        ["Xen.Xm"] = ["Xen.Contract"],
    };

    private static readonly Project[] Projects = [.. Sources.Files("src", "*.csproj").Select(Project.Read)];

    [Fact]
    public void Projects_ReferenceOnlyWhatTheyMay()
    {
        Assert.NotEmpty(Projects);
        Assert.Empty(
            from project in Projects
            from reference in project.References
            where !MayName(project, reference)
            select $"{project.Namespace} must not reference {reference}");
    }

    [Fact]
    public void Sources_NameOnlyWhatTheirProjectMay()
    {
        // A reference of a reference compiles, too; so what the code names is looked at as well.
        string[] namespaces = [.. Projects.Select(p => p.Namespace)];
        Assert.Empty(
            from project in Projects
            from file in Sources.In(Path.GetRelativePath(Sources.Root, project.Folder))
            from line in file.Find(@"^\s*(global )?using (static )?Xen\.")
            let named = namespaces.Where(n => Regex.IsMatch(line, @"\busing (static )?" + Regex.Escape(n) + @"\b")).MaxBy(n => n.Length)
            where named is not null && named != project.Namespace && !MayName(project, named)
            select line);
    }

    [Fact]
    public void CoreAndDrivers_NeverSeeEachOther()
    {
        Assert.DoesNotContain(Closure("Xen.Core"), n => n.StartsWith("Xen.Drivers", StringComparison.Ordinal) || n == "Xen.Rings");
        Assert.All(
            Projects.Where(p => p.Namespace.StartsWith("Xen.Drivers", StringComparison.Ordinal) || p.Namespace == "Xen.Rings"),
            p => Assert.DoesNotContain("Xen.Core", Closure(p.Namespace)));
    }

    [Fact]
    public void Projects_HaveNoCycle() => Assert.All(Projects, p => Assert.DoesNotContain(p.Namespace, Closure(p.Namespace)));

    [Fact]
    public void Projects_AreAllInTheSolution()
    {
        string solution = File.ReadAllText(Path.Combine(Sources.Root, "Xen.sln")).Replace('\\', '/');
        IEnumerable<string> all = Sources.Files("src", "*.csproj").Concat(Sources.Files("tests", "*.csproj"));
        Assert.All(all, path => Assert.Contains('"' + Path.GetRelativePath(Sources.Root, path) + '"', solution, StringComparison.Ordinal));
    }

    private static bool MayName(Project project, string other) => Allowed.TryGetValue(project.Namespace, out string[]? may) && may.Contains(other);

    private static HashSet<string> Closure(string name)
    {
        HashSet<string> seen = [];
        Queue<string> open = new([name]);
        while (open.TryDequeue(out string? next))
        {
            foreach (string reference in Projects.Single(p => p.Namespace == next).References.Where(seen.Add))
                open.Enqueue(reference);
        }

        return seen;
    }

    private sealed record Project(string Folder, string Namespace, string[] References)
    {
        public static Project Read(string path)
        {
            XDocument document = XDocument.Load(path);
            string folder = Path.GetDirectoryName(path)!;
            return new Project(folder, NamespaceOf(document), [.. document.Descendants("ProjectReference").Select(r => Referenced(folder, r))]);
        }

        private static string NamespaceOf(XDocument document) => document.Descendants("RootNamespace").Single().Value;

        private static string Referenced(string folder, XElement reference) =>
            NamespaceOf(XDocument.Load(Path.GetFullPath(Path.Combine(folder, reference.Attribute("Include")!.Value))));
    }
}
