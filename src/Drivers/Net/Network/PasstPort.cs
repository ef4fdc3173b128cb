using System.Diagnostics;

namespace Xen.Drivers.Net.Network;

/// <summary>
/// A guest's end of its user-mode network: a passt, and a thread that receives from it and starts another one when it has ended.
/// </summary>
internal sealed class PasstPort : INetPort
{
    /// <summary>How long to wait before the second start in a row; each later one takes twice as long.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly string[] _command;
    private readonly INetStation _station;
    private readonly MacAddress _mac;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _closing = new();

    /// <summary>The passt that there is. Set under <see cref="_lock"/>, and not after <see cref="_closing"/>.</summary>
    private volatile PasstLink? _link;

    /// <summary>Whether it takes frames yet.</summary>
    private volatile bool _serves;

    public PasstPort(string[] command, INetStation station, UserNetworkOptions options)
    {
        (_command, _station, _mac) = (command, station, options.Mac);
        _thread = new Thread(Run) { Name = "usernet-" + options.Name, IsBackground = true };
    }

    /// <summary>The child's process, or 0.</summary>
    internal int ProcessId => _link?.ProcessId ?? 0;

    /// <summary>Starts the child, and receiving.</summary>
    /// <returns>Null, or why there is none.</returns>
    public string? Open()
    {
        string? error = Launch();
        if (error is null)
            _thread.Start();
        return error;
    }

    public void Send(Frame frame)
    {
        if (_serves)
            _link?.Send(frame);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_closing.IsSet)
                return;
            _closing.Set();
            _link?.Stop();
        }

        if (_thread.IsAlive)
            _thread.Join();
        _link?.Dispose();
        _closing.Dispose();
    }

    private string? Launch()
    {
        string? error = ChildProcess.Start(_command, out ChildProcess? child);
        if (error is not null)
            return $"{_command[0]} cannot be started: {error}";
        PasstLink link = new(child!, _mac);
        lock (_lock)
        {
            _link = link;
            if (_closing.IsSet)
                link.Stop();
        }

        _serves = link.WaitUntilReady();
        if (_serves)
            return null;
        link.Dispose();
        return $"{_command[0]} does not serve: {link.Reason}";
    }

    private void Run()
    {
        TimeSpan pause = TimeSpan.Zero;
        while (true)
        {
            long start = Stopwatch.GetTimestamp();
            PasstLink link = _link!;
            link.Receive(_station);
            _serves = false;
            link.Dispose();
            if (_closing.IsSet)
                return;
            _station.CarrierChanged(
                isUp: false, $"the network failed: {_command[0]} ended ({link.Reason}); the guest's connections are lost; starting it again");
            if (Stopwatch.GetElapsedTime(start) > LongestPause)
                pause = TimeSpan.Zero;
            if (!Restart(ref pause))
                return;
            _station.CarrierChanged(isUp: true, "the network is there again");
        }
    }

    /// <summary>Tries until it serves.</summary>
    /// <returns>False if the port is closed instead.</returns>
    private bool Restart(ref TimeSpan pause)
    {
        for (bool isSaid = false; !_closing.Wait(pause);)
        {
            pause = pause == TimeSpan.Zero ? FirstPause : pause * 2 < LongestPause ? pause * 2 : LongestPause;
            string? error = Launch();
            if (_closing.IsSet)
                return false;
            if (error is null)
                return true;

            // Once: a program that is gone stays so for long.
            if (!isSaid)
                _station.CarrierChanged(isUp: false, $"the network is not there yet: {error}; trying again");
            isSaid = true;
        }

        return false;
    }
}
