using Xen.Abi;
using Xen.Drivers.Tests.Rings;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Xenbus;

/// <summary>A frontend that sends words and waits for their echo.</summary>
internal sealed class EchoFrontend(bool connectsDirectly) : IXenbusFrontend, IXenbusReconfigurable
{
    private readonly AutoResetEvent _answered = new(false);
    private FrontRing<ShortRequest, ShortResponse>? _ring;
    private ISharedPage? _page;
    private GrantRef _reference;
    private IEventPort? _port;
    private XenbusFrontendContext? _context;

    public int Published { get; private set; }

    public int Connected { get; private set; }

    public int Disconnected { get; private set; }

    public int Changed { get; private set; }

    public int Reconfigured { get; private set; }

    public string? ConnectError { get; set; }

    public bool IsDisposed { get; private set; }

    public bool IsConnectedOncePublished => connectsDirectly;

    public string? Publish(XenbusFrontendContext context)
    {
        _context = context;
        ISharedPage page = context.Grants.AllocatePage();
        _ring = FrontRing<ShortRequest, ShortResponse>.Initialise(new SharedPages(page));
        context.Grants.Grant(page, context.Backend, readOnly: false, out _reference);
        context.Events.AllocateUnbound(context.Backend, out EvtchnPort port, out _port);
        _page = page;
        _port!.SetHandler(() => _answered.Set());
        XenbusFolder own = new(context.Store, context.FrontendPath, "frontend");
        own.Write("ring-ref", _reference.Value);
        own.Write("event-channel", port.Value);
        Published++;
        return null;
    }

    public string? Connect(XenbusFrontendContext context)
    {
        Connected++;
        return ConnectError ?? XenbusFolder.BackendOf(context).ReadUInt("feature-echo", 1, 1, out _);
    }

    public void BackendChanged(XenbusFrontendContext context) => Changed++;

    public string? Reconfigure()
    {
        Reconfigured++;
        return null;
    }

    public void Disconnect()
    {
        Disconnected++;
        _port!.Dispose();
        _context!.Grants.EndAccess(_reference, _page!);
    }

    public void Dispose()
    {
        IsDisposed = true;
        _answered.Dispose();
    }

    public void Fail(string reason) => _context!.Fail(reason);

    /// <summary>Sends words and takes their echo.</summary>
    public void Echo(int count, TimeSpan patience)
    {
        for (uint i = 0; i < count; i++)
        {
            Assert.True(_ring!.TryPut(new(i, 0, 0)));
            if (_ring.Push())
                _port!.Notify();
            ShortResponse response;
            while (!_ring.TryTake(out response))
            {
                if (!_ring.FinalCheckForResponses())
                    Assert.True(_answered.WaitOne(patience), "no echo: " + (_ring.Fault ?? "sound"));
            }

            Assert.Equal(i, response.Value);
        }
    }
}
