using Xen.Abi;
using Xen.Drivers.Tests.Rings;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Xenbus;

/// <summary>A backend that answers each request with its own words, and takes note of what it is called for.</summary>
internal sealed class EchoBackend : IXenbusBackend, IXenbusReconfigurable
{
    private readonly Lock _serving = new();
    private BackRing<ShortRequest, ShortResponse>? _ring;
    private GrantedPages? _pages;
    private IEventPort? _port;
    private int _inside;

    public int Advertised { get; private set; }

    public int Connected { get; private set; }

    public int Disconnected { get; private set; }

    public int Reconfigured { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Set if two calls came at a time.</summary>
    public bool WasEnteredTwice { get; private set; }

    public string? AdvertiseError { get; set; }

    public string? ReconfigureError { get; set; }

    /// <summary>Called in the middle of connecting.</summary>
    public Action? WhileConnecting { get; set; }

    /// <summary>The context of the latest call.</summary>
    public XenbusBackendContext? Context { get; private set; }

    public string? Advertise(XenbusBackendContext context) => Alone(() =>
    {
        Advertised++;
        Context = context;
        return AdvertiseError ?? (context.Store.Write(context.BackendPath + "/feature-echo", "1") is var e and not XenErrno.OK ? $"feature-echo: {e}" : null);
    });

    public string? Connect(XenbusBackendContext context) => Alone(() =>
    {
        Context = context;
        XenbusFolder front = XenbusFolder.FrontendOf(context);
        if ((front.ReadGrantRef("ring-ref", out GrantRef reference) ?? front.ReadPort("event-channel", out EvtchnPort remote)) is { } error)
            return error;
        front.ReadPort("event-channel", out remote);
        WhileConnecting?.Invoke();
        GrantStatus status = GrantedPages.TryMap(context.Grants, context.Frontend, [reference], false, out GrantedPages? pages, out _);
        if (status != GrantStatus.Okay)
            return $"frontend's ring-ref={reference.Value} cannot be mapped: {status}";
        if (context.Events.BindInterdomain(context.Frontend, remote, out IEventPort? port) is var e and not XenErrno.OK)
        {
            pages!.Dispose();
            return $"frontend's event-channel={remote.Value} cannot be bound: {e}";
        }

        lock (_serving)
            (_pages, _port, _ring) = (pages, port, BackRing<ShortRequest, ShortResponse>.Attach(pages!));
        port!.SetHandler(Serve);
        Connected++;
        return null;
    });

    public string? Reconfigure() => Alone(() =>
    {
        Reconfigured++;
        return ReconfigureError;
    });

    public void Disconnect() => Alone(() =>
    {
        Disconnected++;
        lock (_serving)
        {
            _port?.Dispose();
            _pages?.Dispose();
            (_pages, _port, _ring) = (null, null, null);
        }

        return null;
    });

    public void Dispose() => IsDisposed = true;

    private void Serve()
    {
        lock (_serving)
        {
            if (_ring is not { } ring)
                return;
            do
            {
                while (ring.TryTake(out ShortRequest request))
                    ring.PutResponse(new(request.First));
                if (ring.Push())
                    _port!.Notify();
            }
            while (ring.FinalCheckForRequests());
            if (ring.Fault is { } fault)
                Context!.Fail(fault);
        }
    }

    private string? Alone(Func<string?> call)
    {
        WasEnteredTwice |= Interlocked.Increment(ref _inside) != 1;
        string? result = call();
        Interlocked.Decrement(ref _inside);
        return result;
    }
}
