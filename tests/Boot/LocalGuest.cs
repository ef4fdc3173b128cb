using System.Text;
using Xen.Toolstack;

namespace Xen.Boot.Tests;

/// <summary>A domain with Debian's cloud kernel and the busybox initramfs in a machine of this process, its console driven as a person would.</summary>
internal sealed class LocalGuest : IDisposable
{
    private readonly object _changed = new();
    private readonly StringBuilder _output = new();
    private readonly Task _reader;
    private int _read;
    private bool _ended;

    private LocalGuest(IRunningDomain domain)
    {
        Domain = domain;
        _reader = Task.Run(ReadAsync);
    }

    public IRunningDomain Domain { get; }

    /// <summary>What its console showed so far.</summary>
    public string Output
    {
        get
        {
            lock (_changed)
                return _output.ToString();
        }
    }

    /// <summary>Makes the domain and waits for its shell.</summary>
    public static LocalGuest BootToShell(IToolstack machine, string name, params string[] overrides)
    {
        var guest = new LocalGuest(machine.CreateDomain(DomainConfigReader.Read(ConfigFile.Load(
            Path.Combine(Repository.Root, "examples/debian.cfg"),
            ["kernel=" + Repository.Cached("vmlinuz-cloud"), "ramdisk=" + Repository.Cached("initramfs.cpio.gz"), "name=" + name, .. overrides]))));
        guest.Domain.Unpause();
        guest.WaitForShell();
        return guest;
    }

    /// <summary>Waits until init runs and the shell prompts.</summary>
    public void WaitForShell()
    {
        WaitFor("xen-sln: init running");
        WaitFor("domu:~# ");
    }

    /// <summary>Waits until the text appears behind what was waited for before, and returns what came before it.</summary>
    public string WaitFor(string text)
    {
        DateTime deadline = DateTime.UtcNow + GuestSession.Patience;
        lock (_changed)
        {
            while (true)
            {
                string seen = _output.ToString(_read, _output.Length - _read);
                int at = seen.IndexOf(text, StringComparison.Ordinal);
                if (at >= 0)
                {
                    _read += at + text.Length;
                    return seen[..at];
                }

                TimeSpan left = deadline - DateTime.UtcNow;
                if (_ended || left <= TimeSpan.Zero || !Monitor.Wait(_changed, left))
                    throw new GuestException($"'{text}' did not appear:\n{_output}");
            }
        }
    }

    public void Type(string text) => Domain.Console.WriteAsync(Encoding.ASCII.GetBytes(text), default).AsTask().Wait();

    /// <summary>Runs a command in the guest's shell and returns what it printed.</summary>
    public string Run(string command)
    {
        // As in GuestSession: the echo of the line does not match.
        Type("echo begin''-mark; " + command + "; echo done''-mark=$?\n");
        WaitFor("begin-mark\r\n");
        string output = WaitFor("done-mark=");
        string status = WaitFor("\n").Trim();
        WaitFor("domu:~# ");
        Assert.True(status == "0", $"'{command}' ended with {status}: {output}");
        return output.Replace("\r", "", StringComparison.Ordinal).TrimEnd('\n');
    }

    /// <summary>Waits until something is so.</summary>
    public void WaitUntil(Func<bool> condition, string what)
    {
        if (!SpinWait.SpinUntil(condition, GuestSession.Patience))
            throw new GuestException($"{what} does not happen:\n{Output}");
    }

    public void Dispose()
    {
        Domain.Dispose();
        _reader.Wait();
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[4096];
        int count;
        while ((count = await Domain.Console.ReadAsync(buffer, default).ConfigureAwait(false)) > 0)
        {
            lock (_changed)
            {
                _output.Append(Encoding.Latin1.GetString(buffer, 0, count));
                Monitor.PulseAll(_changed);
            }
        }

        lock (_changed)
        {
            _ended = true;
            Monitor.PulseAll(_changed);
        }
    }
}
