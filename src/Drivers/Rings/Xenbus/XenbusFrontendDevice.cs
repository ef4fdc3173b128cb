using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>How a frontend begins.</summary>
/// <param name="SkipsInitWait">Publish without waiting for the backend to advertise; for protocols whose frontend reads nothing before.</param>
public readonly record struct XenbusFrontendOptions(bool SkipsInitWait);

/// <summary>
/// Drives a frontend driver through the xenbus handshake; the mirror of <see cref="XenbusBackendDevice"/>. Steps and threads are explained
/// at <see cref="XenbusDevice"/>, the transitions at <see cref="FrontendHandshake"/>.
/// </summary>
public sealed class XenbusFrontendDevice : XenbusDevice
{
    private readonly IXenbusFrontend _driver;
    private readonly XenbusFrontendContext _context;
    private readonly XenbusFrontendOptions _options;
    private XenbusFrontendContext _published;
    private bool _isPublished;
    private bool _isConnected;
    private volatile bool _isCloseAsked;
    private volatile bool _isOpenAsked;
    private string? _failed;
    private string _why = "";

    /// <summary>Makes the device; nothing happens before <see cref="XenbusDevice.Start"/>.</summary>
    /// <param name="driver">The driver, which the device owns from now on.</param>
    /// <param name="context">Where it stands. The device puts its own <see cref="XenbusFrontendContext.Fail"/> in.</param>
    /// <param name="options">How it begins.</param>
    /// <param name="changed">Called when the status has changed: one call at a time, in order; it must not dispose of the device.</param>
    public XenbusFrontendDevice(
        IXenbusFrontend driver, XenbusFrontendContext context, XenbusFrontendOptions options = default, Action<XenbusDeviceStatus>? changed = null)
        : base(Checked(context).Store, context.FrontendPath, XenbusFolder.BackendOf(context), changed)
    {
        _driver = driver;
        _context = _published = context;
        _options = options;
    }

    /// <summary>Closes in order: the backend is told first, and finishes what it has. Any thread.</summary>
    public void RequestClose()
    {
        _isCloseAsked = true;
        Wake();
    }

    /// <summary>Opens the device again after it has closed. Any thread.</summary>
    public void Open()
    {
        _isOpenAsked = true;
        Wake();
    }

    private protected override IEnumerable<string> WatchedPaths() => [StatePath, _context.BackendPath + "/state"];

    /// <summary>A frontend begins in Initialising: that is what has a backend that is Closed offer the device.</summary>
    private protected override void Begin() => SetState(XenbusState.Initialising);

    /// <summary>A frontend's state is its own.</summary>
    private protected override void StateWasWritten(XenbusState? state) => SetState(Own);

    private protected override void DriverFailed(string reason) => Stop(reason);

    private protected override bool Advance(string? peerError)
    {
        if (_isOpenAsked && Own == XenbusState.Closed)
        {
            _isOpenAsked = _isCloseAsked = false;
            _failed = null;
            SetState(XenbusState.Initialising);
            return true;
        }

        if (peerError is not null && Own is not (XenbusState.Closing or XenbusState.Closed))
        {
            Stop(peerError);
            return true;
        }

        FrontendStep step = FrontendHandshake.Next(new FrontendView(Own, Peer, _isConnected, _isCloseAsked, _options.SkipsInitWait));
        return step == FrontendStep.Wait ? Rest() : Do(step);
    }

    private protected override void Release()
    {
        EndConnection();
        if (_isPublished)
            _driver.Disconnect();
        _isPublished = _isConnected = false;
    }

    private protected override void DisposeDriver() => _driver.Dispose();

    private bool Do(FrontendStep step)
    {
        switch (step)
        {
            case FrontendStep.Publish:
                return Publish();
            case FrontendStep.Connect:
                return Connect();
            case FrontendStep.Restart:
                Release();
                SetState(XenbusState.Initialising);
                return true;
            case FrontendStep.Close:
                _why = _isCloseAsked ? "it was asked for" : Peer is null or XenbusState.Unknown ? "the backend has vanished" : "the backend is " + Peer;
                Release();
                SetState(XenbusState.Closed);
                return true;
            case FrontendStep.BeginClosing:
                SetState(XenbusState.Closing);
                return true;
            case FrontendStep.BeginReconfiguring:
                SetState(XenbusState.Reconfiguring);
                return true;
            default:
                if ((_driver as IXenbusReconfigurable)?.Reconfigure() is { } error)
                    Stop(error);
                else
                    SetState(XenbusState.Connected);
                return true;
        }
    }

    private bool Publish()
    {
        // Published already where only the state could not be written.
        if (!_isPublished)
        {
            _failed = null;
            if (_driver.Publish(_published = _context with { Fail = NewConnection() }) is { } error)
            {
                Stop(error);
                return true;
            }

            _isPublished = true;
        }

        SetState(_driver.IsConnectedOncePublished ? XenbusState.Connected : XenbusState.Initialised);
        return true;
    }

    private bool Connect()
    {
        if (_driver.Connect(_published) is { } error)
        {
            Stop(error);
            return true;
        }

        _isConnected = true;
        if (Own != XenbusState.Connected)
            SetState(XenbusState.Connected);
        return true;
    }

    /// <summary>The device broke: gives everything back and closes. A backend that does not look at a Closed frontend is none.</summary>
    private void Stop(string reason)
    {
        Release();
        _failed = "failed: " + reason;
        SetState(XenbusState.Closed);
    }

    private bool Rest()
    {
        if (_isConnected && Own == XenbusState.Connected && Peer == XenbusState.Connected)
        {
            if (Status.Own == XenbusState.Connected && Status.Text == "connected")
                _driver.BackendChanged(_published);
            Tell("connected");
            return false;
        }

        Tell(Own switch
        {
            XenbusState.Closed => _failed ?? "closed: " + _why,
            XenbusState.Closing => "closing: waiting for the backend, which is " + Name(Peer),
            _ => "waiting: backend is " + Name(Peer),
        });
        return false;
    }

    private static string Name(XenbusState? state) => state?.ToString() ?? "absent";

    private static XenbusFrontendContext Checked(XenbusFrontendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context;
    }
}
