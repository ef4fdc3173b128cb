using System.Diagnostics;

namespace Xen.Dom0.Tests.Service;

/// <summary>Runs clients in other languages, with the gRPC of their own.</summary>
internal static class StockClient
{
    private const string Python = "/usr/bin/python3";

    private static string Scripts => Path.Combine(Repository.Root, "tests/Dom0/Service/Clients");

    /// <summary>Generates Python code of the contract.</summary>
    /// <param name="folder">Where; the scripts are copied there, too.</param>
    public static void MakePython(string folder)
    {
        File.Copy(Path.Combine(Scripts, "follow.py"), Path.Combine(folder, "follow.py"));
        Run([Python, "-m", "grpc_tools.protoc", "-I", Path.Combine(Repository.Root, "src/Dom0/Contract"), "--python_out=" + folder, "--grpc_python_out=" + folder, "xend.proto"], folder);
    }

    /// <summary>Runs the client.</summary>
    /// <param name="folder">As of <see cref="MakePython"/>.</param>
    /// <param name="before">What stands before the command, such as setpriv.</param>
    /// <param name="arguments">Of follow.py.</param>
    /// <returns>What it printed.</returns>
    public static string FollowByPython(string folder, string[] before, params string[] arguments) =>
        Run([.. before, Python, "-B", Path.Combine(folder, "follow.py"), .. arguments], folder);

    /// <summary>Whether Node.js is there, which not every distribution has at hand.</summary>
    public static bool HasNode { get; } = new[] { "node", "npm" }.All(static program =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program))));

    /// <summary>Fetches the client's packages, in the versions that its lock file names.</summary>
    /// <param name="folder">Where; the script is copied there, too.</param>
    public static void MakeNode(string folder)
    {
        foreach (string file in new[] { "follow.js", "package.json", "package-lock.json" })
            File.Copy(Path.Combine(Scripts, file), Path.Combine(folder, file));
        Run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], folder, "npm's registry, or a cache that has been filled from it", keepProxy: true);
    }

    /// <summary>The same as <see cref="FollowByPython"/>, with follow.js.</summary>
    public static string FollowByNode(string folder, params string[] arguments) =>
        Run(["node", Path.Combine(folder, "follow.js"), Path.Combine(Repository.Root, "src/Dom0/Contract/xend.proto"), .. arguments], folder, "Node.js 18 or later");

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its standard output.</returns>
    public static string Run(string[] command, string folder, string needs = "apt-get install python3-grpcio python3-grpc-tools util-linux", bool keepProxy = false)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };

        // A proxy is for the way out of this host.
        foreach (string variable in keepProxy ? [] : new[] { "http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY" })
            start.Environment.Remove(variable);
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(RunningXend.Patience), $"{string.Join(' ', command)} does not end");
        Assert.True(
            process.ExitCode == 0,
            $"{string.Join(' ', command)}: {errors.Result}\nIt needs: {needs}");
        return text;
    }
}
