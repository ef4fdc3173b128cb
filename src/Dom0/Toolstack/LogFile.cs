using System.Text;
using Xen.Drivers.Console;

namespace Xen.Toolstack;

/// <summary>Lines in a file, behind what is there. Bounded as a console's log is: a full one is kept once beside the new one.</summary>
public sealed class LogFile : IDisposable
{
    private readonly ConsoleLog _file;

    /// <exception cref="ToolstackException">The file cannot be written.</exception>
    public LogFile(string path)
    {
        try
        {
            _file = new ConsoleLog(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ToolstackException($"the log {path} cannot be written: {e.Message} Set XEN_LOG_DIR to a folder of your own.", e);
        }
    }

    public void Write(string line) => _file.Write(Encoding.UTF8.GetBytes(line.TrimEnd('\n') + "\n"));

    public void Dispose() => _file.Dispose();
}
