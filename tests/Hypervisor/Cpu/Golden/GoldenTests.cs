using System.Runtime.CompilerServices;
using System.Text;
using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>
/// The translator's host code for guest code that stands for much, kept in translator.txt: what a change of the translator does is seen as a difference
/// there. XEN_GOLDEN_UPDATE=1 writes the file anew.
/// </summary>
public sealed class GoldenTests
{
    private const string FileName = "translator.txt";

    [Fact]
    public void HostCode_IsWhatWasReviewed()
    {
        string text = MakeText();
        if (Environment.GetEnvironmentVariable("XEN_GOLDEN_UPDATE") == "1")
        {
            File.WriteAllText(Path.Combine(SourceFolder(), FileName), text);
            return;
        }

        string[] expected = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", FileName)).TrimEnd('\n').Split("\n\n"), actual = text.TrimEnd('\n').Split("\n\n");
        if (!CpuFeatures.OfHost.Has(Leaf1Ecx.Avx))
            expected = [.. expected.Where(static section => !section.StartsWith("## avx:", StringComparison.Ordinal))];
        var differences = actual.Where(section => !expected.Contains(section)).ToList();
        Assert.True(differences.Count == 0, $"{differences.Count} sections are new or changed; if they are right, run the test with XEN_GOLDEN_UPDATE=1:\n\n{string.Join("\n\n", differences.Take(5))}");
        Assert.Equal(expected, actual);
    }

    private static string MakeText()
    {
        var text = new StringBuilder("# Guest code and its translation. Written by GoldenTests with XEN_GOLDEN_UPDATE=1.\n");
        Add(text, "entries, flags dead", a => a.add(AssemblerRegisters.rax, 1), entries: true);
        Add(text, "entries, flags alive", a => a.adc(AssemblerRegisters.rax, 1), entries: true);
        Add(text, "entries, high address", a => a.adc(AssemblerRegisters.rax, 1), entries: true, rip: 0xFFFF_8880_0010_0000);
        foreach ((string name, Action<Assembler> code) in GoldenSequences.All)
            Add(text, name, code);
        Add(text, "careful: two loads", GoldenSequences.All.Single(static s => s.Name == "two loads over one base").Code, variant: BlockVariant.Careful);
        Add(text, "user: load", GoldenSequences.All.Single(static s => s.Name == "load").Code, variant: BlockVariant.User);
        return text.ToString();
    }

    private static void Add(StringBuilder text, string name, Action<Assembler> code, bool entries = false, ulong rip = TestVcpu.CodeAddress, BlockVariant variant = BlockVariant.Kernel)
    {
        var assembler = new Assembler(64);
        code(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), rip);

        // Behind it the flags are alive.
        byte[] bytes = [.. stream.ToArray(), 0x0F, 0x05];
        text.Append('\n').Append("## ").Append(name).Append('\n').Append(GoldenText.Of(bytes, rip, variant, entries));
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
