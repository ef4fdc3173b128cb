using System.Globalization;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>Its core dumps.</summary>
internal sealed partial class RunningDomain
{
    public string DumpCore(string? path, CoreDumpOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options is { Crash: true, Reset: true })
            throw new ToolstackException("after a core dump a domain can be ended or reset, and not both: give one of the two options.");
        Domain domain;
        CoreDump dump;
        lock (_lock)
        {
            domain = Living().Domain;
            path = Path.GetFullPath(path ?? NextDumpPath(domain) ?? throw new ToolstackException("this machine has no folder for core dumps: name the file."));
            domain.Pause();
            try
            {
                dump = CoreDump.Take(domain);
            }
            catch
            {
                domain.Unpause();
                throw;
            }
        }

        // Whoever wants something else of the domain need not wait for the disk.
        if (options.Live)
            domain.Unpause();
        try
        {
            CoreDumpFile.Write(dump, path, _config.Name);
            Log($"core dumped to {path}");
        }
        finally
        {
            if (!options.Live)
                domain.Unpause();
        }

        lock (_lock)
        {
            if (!Owns(domain))
                return path;
            if (options.Crash)
                Destroy();
            else if (options.Reset)
                Reset();
        }

        return path;
    }

    /// <summary>Dumps a domain that has shut down, as its action says. What goes wrong is said in the log: the rest of the action is done all the same.</summary>
    private void DumpAfterShutdown(Domain domain)
    {
        if (NextDumpPath(domain) is not { } path)
        {
            Log("no core is dumped, because this machine has no folder for core dumps; the rest of the action is done");
            return;
        }

        _lastStatus = Describe(_host.Control.GetInfo(domain));
        _isChanging = true;
        try
        {
            Directory.CreateDirectory(_host.Options.CoreDumpFolder!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            CoreDumpFile.Write(CoreDump.Take(domain), path, _config.Name);
            Log($"core dumped to {path}");
        }
        catch (Exception fault) when (fault is ToolstackException or IOException or UnauthorizedAccessException)
        {
            Log("no core is dumped: " + fault.Message);
        }
        finally
        {
            _isChanging = false;
        }
    }

    /// <summary>Where the next dump is written that nobody gives a path; null if the machine has no folder for that. <b>Source</b>: xend's names.</summary>
    private string? NextDumpPath(Domain domain) => _host.Options.CoreDumpFolder is { } folder
        ? Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{DateTime.Now:yyyy-MMdd-HHmm.ss}-{_config.Name}.{domain.Id.Value}.core"))
        : null;
}
