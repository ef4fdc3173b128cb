using System.Globalization;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>What xend has to say, a line each with its time: to its log, and to standard error where somebody watches.</summary>
internal sealed class XendLog(LogFile file, TextWriter? watched) : IDisposable
{
    private readonly Lock _lock = new();

    public void Write(string text)
    {
        lock (_lock)
        {
            file.Write(string.Create(CultureInfo.InvariantCulture, $"[{DateTimeOffset.Now:yyyy-MM-dd HH:mm:ss.fff}] {text}"));
            try
            {
                watched?.WriteLine("xend: " + text);
            }
            catch (IOException)
            {
                // Nobody watches any more.
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
            file.Dispose();
    }
}
