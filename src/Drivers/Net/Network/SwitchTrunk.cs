using System.Net.Sockets;

namespace Xen.Drivers.Net.Network;

/// <summary>
/// Joins the switch of a bridge's name with those that other processes of the same user have under that name, so that they are one network.
/// One process is the hub; the others connect to it, so that there is one way between any two. When the hub goes, one of the others takes
/// its place and the rest connect to that.
/// </summary>
/// <remarks>
/// Who holds the lock on a file of the folder is the hub (<see cref="SwitchTrunkSeat"/>). A hub whose process is stopped, but lives, keeps its
/// place: the others have no network among themselves until it goes on or ends.
/// Frames cross with their offload undone. What a peer says is checked as what a guest says is; one that lies is disconnected.
/// Any thread.
/// </remarks>
public sealed class SwitchTrunk : IDisposable
{
    /// <summary>How many processes a hub serves.</summary>
    public const int MostLinks = 256;

    private static readonly TimeSpan LeastWait = TimeSpan.FromMilliseconds(1), MostWait = TimeSpan.FromMilliseconds(250);

    // Who was a member for less, and is not any more, does not come back at once: both could be busy with that for ever.
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly LearningSwitch _switch;
    private readonly SwitchTrunkPlace _place;
    private readonly Thread _thread;
    private readonly string _name;
    private readonly ManualResetEventSlim _stop = new();

    // Guarded by _lock. A client has one link, which its own thread serves; a hub has those of its clients, each with a thread.
    private readonly Dictionary<SwitchTrunkLink, Thread?> _links = [];
    private SwitchTrunkSeat? _seat;
    private bool _closed;
    private long _dropped;
    private long _liars;

    /// <summary>Joins the others, if there are any already; from here on it keeps doing that by itself.</summary>
    /// <param name="owner">The switch of this process.</param>
    /// <param name="folder">A folder that nobody else can write to, the same for all who shall meet.</param>
    /// <param name="bridge">The bridge's name.</param>
    /// <exception cref="ArgumentException"><see cref="WhatIsWrong"/> says why.</exception>
    public SwitchTrunk(LearningSwitch owner, string folder, string bridge)
    {
        ArgumentNullException.ThrowIfNull(owner);
        if (WhatIsWrong(folder, bridge) is { } fault)
            throw new ArgumentException(fault, nameof(bridge));
        (_switch, _name) = (owner, "trunk-" + bridge);
        _place = new SwitchTrunkPlace(folder, bridge);

        // Here, and not later: the first frame of the first guest can cross already.
        SwitchTrunkLink? link = Join();
        _thread = new Thread(() => Run(link)) { Name = _name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Null, or one sentence that says why there can be no trunk of that name in that folder.</summary>
    public static string? WhatIsWrong(string folder, string bridge) => new SwitchTrunkPlace(folder, bridge).WhatIsWrong();

    /// <summary>The others connect to this one.</summary>
    public bool IsHub
    {
        get
        {
            lock (_lock)
                return _seat is not null;
        }
    }

    /// <summary>To how many others there is a connection now: for a client to none or the hub.</summary>
    public int LinkCount
    {
        get
        {
            lock (_lock)
                return _links.Count;
        }
    }

    /// <summary>Frames lost because a peer did not keep up.</summary>
    public long Dropped
    {
        get
        {
            lock (_lock)
                return _dropped + _links.Keys.Sum(static link => link.Dropped);
        }
    }

    /// <summary>Peers that were disconnected for what they sent.</summary>
    public long Liars
    {
        get
        {
            lock (_lock)
                return _liars;
        }
    }

    /// <summary>Called when the role or the number of links has changed, with no lock held.</summary>
    internal event Action? Changed;

    /// <summary>Leaves the others. Returns when no frame of theirs can reach the switch any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_closed)
                return;
            _closed = true;
            _seat?.Stop();
            foreach ((SwitchTrunkLink link, Thread? thread) in _links)
            {
                // A hub's clients are told later, when its place is free for the next.
                if (thread is null)
                    link.Stop();
            }
        }

        _stop.Set();
        _thread.Join();
        _stop.Dispose();
    }

    private void Run(SwitchTrunkLink? link)
    {
        TimeSpan wait = TimeSpan.Zero;
        for (; ; )
        {
            long began = Environment.TickCount64;
            if (link is not null)
                Serve(link);
            else if (IsHub)
                ServeAsHub();
            bool wasSettled = Environment.TickCount64 - began >= Settled.TotalMilliseconds;
            wait = wasSettled ? TimeSpan.Zero : TimeSpan.FromTicks(Math.Clamp(wait.Ticks * 2, LeastWait.Ticks, MostWait.Ticks));
            if (_stop.Wait(wait))
                return;
            link = Join();
        }
    }

    // Becomes the hub, or connects to it, or neither.
    private SwitchTrunkLink? Join()
    {
        SwitchTrunkSeat? seat = SwitchTrunkSeat.TryTake(_place);
        SwitchTrunkLink? link = seat is null && SwitchTrunkSeat.TryConnect(_place) is { } socket ? TryLink(socket) : null;
        bool isLate;
        lock (_lock)
        {
            isLate = _closed;
            if (!isLate)
                _seat = seat;
            if (!isLate && link is not null)
                _links.Add(link, null);
        }

        if (isLate)
        {
            seat?.Dispose();
            link?.Stop();
        }

        if (seat is not null || link is not null)
            Changed?.Invoke();
        return link;
    }

    private void ServeAsHub()
    {
        SwitchTrunkSeat seat = _seat!;
        while (!_stop.IsSet)
        {
            if (seat.Accept() is { } socket)
                Admit(socket);
            else
                _stop.Wait(MostWait);
        }

        KeyValuePair<SwitchTrunkLink, Thread?>[] links;
        lock (_lock)
        {
            _seat = null;
            links = [.. _links];
        }

        // The place is free before those who want it are told.
        seat.Dispose();
        foreach ((SwitchTrunkLink link, Thread? thread) in links)
        {
            link.Stop();
            thread!.Join();
        }
    }

    private void Admit(Socket socket)
    {
        if (LinkCount >= MostLinks)
        {
            socket.Dispose();
            return;
        }

        if (TryLink(socket) is not { } link)
            return;
        Thread thread = new(() => Serve(link)) { Name = _name, IsBackground = true };
        lock (_lock)
            _links.Add(link, thread);
        thread.Start();
        Changed?.Invoke();
    }

    private SwitchTrunkLink? TryLink(Socket socket)
    {
        try
        {
            return new SwitchTrunkLink(socket, _switch);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    private void Serve(SwitchTrunkLink link)
    {
        link.Run();
        lock (_lock)
        {
            _links.Remove(link);
            _dropped += link.Dropped;
            _liars += link.PeerLied ? 1 : 0;
        }

        Changed?.Invoke();
    }
}
