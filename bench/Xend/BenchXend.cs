using System.Diagnostics;
using Iced.Intel;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.GuestKit.Assembly;

namespace Xen.Xend.Bench;

/// <summary>The xend that people run, with folders of its own.</summary>
internal sealed class BenchXend : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("xen-bench-").FullName;
    private readonly string _programs;
    private readonly Process _process;
    private readonly XendConnection _connection;

    private BenchXend(string programs, string memory)
    {
        _programs = programs;
        _process = Process.Start(Prepare("xend", ["--foreground", memory]))!;
        while (_process.StandardError.ReadLine() is { } line && !line.Contains("started, process", StringComparison.Ordinal))
        {
        }

        _connection = XendConnection.TryOpenAsync(Path.Combine(_folder, "run", "xend.socket"), CancellationToken.None).GetAwaiter().GetResult()
            ?? throw new InvalidOperationException("xend does not start");
    }

    public Contract.V1.Xend.XendClient Client => _connection.Client;

    /// <summary>Memory that it has in RAM, guests included. <b>Units</b>: MiB.</summary>
    public long ResidentMiB
    {
        get
        {
            using var process = Process.GetProcessById(_process.Id);
            return process.WorkingSet64 >> 20;
        }
    }

    /// <summary>Starts it.</summary>
    /// <param name="programs">The folder of xm and xend.</param>
    /// <param name="memoryMiB">Memory for guests.</param>
    public static BenchXend Start(string programs, int memoryMiB) => new(programs, $"--memory={memoryMiB}");

    /// <summary>Runs xm to its end.</summary>
    public void Xm(params string[] arguments)
    {
        using Process process = Process.Start(Prepare("xm", arguments))!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException(process.StandardError.ReadToEnd());
    }

    /// <summary>Writes a guest that waits for ever.</summary>
    public string WriteIdleKernel()
    {
        var guest = new GuestAssembler();
        Label again = guest.Code.CreateLabel();
        guest.Code.Label(ref again);
        guest.Block();
        guest.Code.jmp(again);
        string path = Path.Combine(_folder, "idle");
        File.WriteAllBytes(path, guest.Build().Elf);
        return path;
    }

    /// <summary>Creates a domain of 64 MiB.</summary>
    public Domain Create(string name, string kernel, bool paused) => Client.CreateDomain(new CreateDomainRequest
    {
        Config = $"name = '{name}'\nkernel = '{kernel}'\nmemory = 64\n", Source = "bench.cfg", WorkingFolder = _folder, StartPaused = paused,
    }).Domain;

    /// <summary>Ends a domain, and waits until it is gone.</summary>
    public void Destroy(Domain domain)
    {
        Client.DestroyDomain(new DomainRequest { Domain = domain.Name });
        Client.WaitDomain(new WaitDomainRequest { Handle = domain.Handle });
    }

    public void Dispose()
    {
        _connection.Dispose();
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private ProcessStartInfo Prepare(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(_programs, program), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string variable, string folder) in new[] { ("RUNTIME", "run"), ("LOG", "log"), ("STATE", "state"), ("CONFIG", "etc") })
            start.Environment[$"XEN_{variable}_DIR"] = Path.Combine(_folder, folder);
        return start;
    }
}
