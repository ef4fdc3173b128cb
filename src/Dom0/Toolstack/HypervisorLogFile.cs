using System.Text;
using Xen.Drivers.Console;

namespace Xen.Toolstack;

/// <summary>Keeps a machine's log in a file, so that it can be read when the machine is gone. Bounded as a console's log is.</summary>
public sealed class HypervisorLogFile : IDisposable
{
    private readonly IToolstack _toolstack;
    private readonly ConsoleLog _file;

    /// <summary>Begins the file anew and writes what is logged from now on.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public HypervisorLogFile(IToolstack toolstack, string path)
    {
        File.Delete(path);
        _file = new ConsoleLog(path);
        _toolstack = toolstack;
        _toolstack.LogWritten += Write;
    }

    public void Dispose()
    {
        _toolstack.LogWritten -= Write;
        _file.Dispose();
    }

    private void Write(string line) => _file.Write(Encoding.UTF8.GetBytes(line.TrimEnd('\n') + "\n"));
}
