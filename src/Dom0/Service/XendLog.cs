using System.Globalization;
using Xen.Contract;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>What xend has to say, a line each with its time: to its log, and to standard error where somebody watches. Whatever text of others is in it, it is one line.</summary>
internal sealed class XendLog(LogFile file, TextWriter? watched) : IDisposable
{
    /// <summary>Of a line. <b>Units</b>: characters.</summary>
    private const int MostLength = 4096;

    private readonly Lock _lock = new();

    /// <summary>Writes a fault of our own, with where it happened: a line each.</summary>
    public void Write(string text, Exception fault)
    {
        foreach (string line in $"{text}: {fault}".Split('\n'))
            Write(line.TrimEnd());
    }

    public void Write(string text)
    {
        text = PrintableText.Of(text, MostLength);
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
