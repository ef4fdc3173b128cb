using System.Diagnostics;
using System.Security.Cryptography;
using Xunit.Abstractions;

namespace Xen.Abi.Tests;

/// <summary>The committed table is the one that its sources make.</summary>
public sealed class GoldenTableTests(ITestOutputHelper output)
{
    private const string Headers = "/usr/include/xen";

    [Fact]
    public void Table_WasMadeFromTheCommittedSources()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string extension in new[] { "*.c", "*.h" })
        {
            foreach (string file in Directory.GetFiles(GoldenTable.Folder, extension).Order(StringComparer.Ordinal))
            {
                hash.AppendData(File.ReadAllBytes(file));
            }
        }

        Assert.Equal(Convert.ToHexStringLower(hash.GetHashAndReset()), GoldenTable.Load().Source);
    }

    /// <summary>Asserts nothing where gcc or the headers of Xen 4.17 are missing, and then says so.</summary>
    [Fact]
    public void Table_IsWhatTheHeadersOfThisMachineSay()
    {
        string? missing = MissingTool();
        if (missing is not null)
        {
            output.WriteLine("Not compared: " + missing);
            return;
        }

        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            Run("sh", Path.Combine(GoldenTable.Folder, "regenerate.sh"), file);
            Assert.Equal(File.ReadAllLines(file), File.ReadAllLines(GoldenTable.FilePath));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string? MissingTool()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (!folders.Any(folder => File.Exists(Path.Combine(folder, "gcc"))))
        {
            return "there is no gcc.";
        }

        if (!File.Exists(Path.Combine(Headers, "xen.h")) || !File.Exists(Path.Combine(Headers, "domctl.h")))
        {
            return $"there are no Xen headers in {Headers}.";
        }

        string version = $"#define XEN_DOMCTL_INTERFACE_VERSION 0x{DomctlLayout.InterfaceVersion:x8}";
        return File.ReadLines(Path.Combine(Headers, "domctl.h")).Contains(version)
            ? null
            : $"the headers in {Headers} are not those of Xen 4.17.";
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
    }
}
