using System.Globalization;
using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>
/// Drives a backend driver through the xenbus handshake, from the toolstack's nodes to the closed device, reconnecting as often as the
/// frontend does. Steps and threads are explained at <see cref="XenbusDevice"/>, the transitions at <see cref="BackendHandshake"/>.
/// </summary>
/// <remarks>
/// A toolstack makes both folders (state Initialising, online 1) and then the device, and starts it. To detach, it writes online=0 and the
/// backend's state Closing in one transaction, as on Xen, or calls <see cref="RequestClose"/>; when the status says that the device is
/// finished it disposes of it and removes the folders. <see cref="ForceClose"/> does not wait for the frontend.
/// A failure is told in the backend folder's node "error", where Linux's backends tell theirs (<see cref="ErrorPath"/>), and in "hotplug-error"
/// (with hotplug-status=error) where the device could not even be offered.
/// </remarks>
public sealed class XenbusBackendDevice : XenbusDevice
{
    private readonly IXenbusBackend _driver;
    private readonly XenbusBackendContext _context;
    private XenbusBackendContext _offered;
    private bool _isConnected;
    private bool _isOffered;
    private volatile bool _isCloseAsked;
    private volatile bool _isForced;
    private bool _isStuck;
    private XenbusState? _stuckAt;
    private string? _failed;
    private string _why = "";

    /// <summary>Makes the device; nothing happens before <see cref="XenbusDevice.Start"/>.</summary>
    /// <param name="driver">The driver, which the device owns from now on.</param>
    /// <param name="context">Where it stands. The device puts its own <see cref="XenbusBackendContext.Fail"/> in.</param>
    /// <param name="changed">Called when the status has changed: one call at a time, in order; it must not dispose of the device.</param>
    public XenbusBackendDevice(IXenbusBackend driver, XenbusBackendContext context, Action<XenbusDeviceStatus>? changed = null)
        : base(Checked(context).Store, context.BackendPath, XenbusFolder.FrontendOf(context), changed)
    {
        _driver = driver;
        _context = _offered = context;
    }

    /// <summary>
    /// Where a backend's failures are told: /local/domain/0/error/backend/vbd/3/51712 for /local/domain/0/backend/vbd/3/51712, with a node "error" of an
    /// errno and a sentence, as Linux's backends write it. Who removes the backend's folder removes this one.
    /// </summary>
    public static string ErrorPath(string backendPath)
    {
        ArgumentNullException.ThrowIfNull(backendPath);
        int home = backendPath.IndexOf("/backend/", StringComparison.Ordinal);
        return home < 0 ? backendPath + "/error" : backendPath[..home] + "/error" + backendPath[home..];
    }

    /// <summary>Asks the frontend to close, and closes when it has; at once if it is not connected. Any thread.</summary>
    public void RequestClose()
    {
        _isCloseAsked = true;
        Wake();
    }

    /// <summary>Closes without waiting for the frontend, which may lose what it had under way. Any thread.</summary>
    public void ForceClose()
    {
        _isForced = true;
        Wake();
    }

    private protected override IEnumerable<string> WatchedPaths() =>
        [StatePath, _context.BackendPath + "/online", _context.FrontendPath + "/state"];

    /// <summary>Whatever an earlier backend left, this one begins anew; a device that is offline already has nothing to begin.</summary>
    private protected override void Begin()
    {
        if (!IsOnline())
            _isCloseAsked = true;
    }

    private protected override void StateWasWritten(XenbusState? state)
    {
        switch (state)
        {
            case XenbusState.Closing:
                _isCloseAsked = true;
                break;
            case XenbusState.Closed:
                _isForced = true;
                break;
            case XenbusState.Reconfiguring when Own == XenbusState.Connected:
                AssumeState(XenbusState.Reconfiguring);
                break;
            case XenbusState.Initialising:
                // The toolstack has put right what was wrong, and wants it tried again.
                Release();
                _isStuck = false;
                AssumeState(XenbusState.Initialising);
                break;
            default:
                SetState(Own);
                break;
        }
    }

    private protected override void DriverFailed(string reason) => Stop(reason, XenErrno.EIO);

    private protected override bool Advance(string? peerError)
    {
        bool isOnline = IsOnline();
        if (_isStuck && Peer != _stuckAt)
            _isStuck = false;
        if (_isForced && Own != XenbusState.Closed)
            return Close("by force");
        _isForced = false;

        // Once this end is closing, a frontend without a sensible state is as good as none.
        if (peerError is not null && Own is not (XenbusState.Closing or XenbusState.Closed))
        {
            Stop(peerError, XenErrno.EINVAL);
            return true;
        }

        BackendStep step = BackendHandshake.Next(new BackendView(Own, Peer, _isConnected, isOnline, _isCloseAsked, _isStuck));
        return step == BackendStep.Wait ? Rest(isOnline) : Do(step);
    }

    private protected override void Release()
    {
        EndConnection();
        if (_isOffered)
            _driver.Disconnect();
        _isConnected = _isOffered = false;
    }

    private protected override void DisposeDriver() => _driver.Dispose();

    private bool Do(BackendStep step)
    {
        switch (step)
        {
            case BackendStep.Offer:
                return Offer();
            case BackendStep.Connect:
                return Connect();
            case BackendStep.BeginClosing:
                _why = _isCloseAsked ? "the toolstack asked" : "the frontend is closing";
                SetState(XenbusState.Closing);
                return true;
            case BackendStep.Close:
                return Close(WhyClosed());
            case BackendStep.Reconfigure:
                if ((_driver as IXenbusReconfigurable)?.Reconfigure() is { } error)
                    Stop(error, XenErrno.EINVAL);
                else
                    SetState(XenbusState.Reconfigured);
                return true;
            default:
                SetState(XenbusState.Connected);
                return true;
        }
    }

    private bool Offer()
    {
        Release();
        _failed = null;
        ClearErrors();
        _isOffered = true;
        string? error = _driver.Advertise(_offered = _context with { Fail = NewConnection() });
        if (error is null)
            return SetState(XenbusState.InitWait);
        WriteNode("hotplug-status", "error");
        WriteNode("hotplug-error", error);
        Stop(error, XenErrno.ENODEV);
        return true;
    }

    private bool Connect()
    {
        // Connected already where only the state could not be written.
        if (!_isConnected)
        {
            if (_driver.Connect(_offered) is { } error)
            {
                Stop(error, XenErrno.EINVAL);
                return true;
            }

            _isConnected = true;
        }

        SetState(XenbusState.Connected);
        return true;
    }

    /// <summary>The device broke: gives everything back, says why, and has the frontend close its end if there is one.</summary>
    private void Stop(string reason, XenErrno errno)
    {
        Release();
        (_isStuck, _stuckAt) = (true, Peer);
        _failed = "failed: " + reason;
        WriteNode("error", reason);
        WriteAt(ErrorPath(_context.BackendPath) + "/error", string.Create(CultureInfo.InvariantCulture, $"{(int)errno} {reason}"));
        SetState(Peer is null or XenbusState.Unknown or XenbusState.Closed ? XenbusState.Closed : XenbusState.Closing);
    }

    private bool Close(string why)
    {
        Release();
        _why = why;
        bool isTold = SetState(XenbusState.Closed);
        if (Own == XenbusState.Closed)
            _isCloseAsked = false;
        return isTold;
    }

    /// <summary>Nothing is to be done: says what is waited for.</summary>
    private bool Rest(bool isOnline)
    {
        string text = Own switch
        {
            XenbusState.InitWait => "waiting: " + WhatIsMissing(),
            XenbusState.Connected => "connected",
            XenbusState.Closing => _failed ?? $"closing: {_why}; waiting for the frontend, which is {Name(Peer)}",
            XenbusState.Closed => _failed ?? "closed: " + _why,
            XenbusState.Reconfiguring => $"reconfiguring: waiting for the frontend, which is {Name(Peer)}",
            XenbusState.Reconfigured => $"reconfigured: waiting for the frontend, which is {Name(Peer)}",
            _ => "starting",
        };
        Tell(text, isFinished: Own == XenbusState.Closed && !isOnline);
        return false;
    }

    private string WhatIsMissing() => Peer switch
    {
        null => "frontend has no state node; there is no driver, or no guest, yet",
        XenbusState.Initialising or XenbusState.InitWait => $"frontend is {Peer} and has not published its rings",
        _ => $"frontend is {Peer} where Initialised or Connected is due",
    };

    private string WhyClosed() => Peer switch
    {
        _ when _isCloseAsked => "the toolstack asked",
        null or XenbusState.Unknown => "the frontend has vanished",
        XenbusState.Closed => "the frontend closed",
        _ => "the frontend is " + Peer,
    };

    /// <summary>A device that nobody has taken offline is online.</summary>
    private bool IsOnline() => _context.Store.Read(_context.BackendPath + "/online", out string online) != XenErrno.OK || online != "0";

    private void ClearErrors()
    {
        string own = _context.BackendPath;
        foreach (string path in (ReadOnlySpan<string>)[own + "/error", own + "/hotplug-error", ErrorPath(own)])
        {
            if (_context.Store.Read(path, out _) == XenErrno.OK)
                _context.Store.Remove(path);
        }
    }

    /// <summary>Writes a node for people to read, unless the folder is gone. Without it the status still tells.</summary>
    private void WriteNode(string name, string value) => WriteAt(_context.BackendPath + "/" + name, value);

    /// <inheritdoc cref="WriteNode"/>
    private void WriteAt(string path, string value) => _context.Store.Transact(view =>
        view.Read(StatePath, out _) is var error and not XenErrno.OK ? error : view.Write(path, value));

    private static string Name(XenbusState? state) => state?.ToString() ?? "absent";

    private static XenbusBackendContext Checked(XenbusBackendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context;
    }
}
