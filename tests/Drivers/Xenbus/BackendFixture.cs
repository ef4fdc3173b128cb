using System.Globalization;
using Xen.Abi;
using Xen.GuestKit.Harness;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Xenbus;

/// <summary>A backend device in Dom0, and the nodes, pages and ports of a frontend whose every move is the test's.</summary>
internal sealed class BackendFixture : IDisposable
{
    public const int DeviceId = 51712;

    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly List<XenbusDeviceStatus> _statuses = [];

    public BackendFixture(bool start = true)
    {
        Dom0 = World.Domain(0);
        Guest = World.Domain(3);
        (BackendPath, FrontendPath) = World.Link(Dom0, Guest, "echo", DeviceId);
        Device = Make(Driver);
        if (start)
            Assert.Null(Device.Start());
    }

    public World World { get; } = new();

    public WorldDomain Dom0 { get; }

    public WorldDomain Guest { get; private set; }

    public string BackendPath { get; }

    public string FrontendPath { get; }

    public EchoBackend Driver { get; } = new();

    public XenbusBackendDevice Device { get; }

    public XenbusDeviceStatus[] Statuses
    {
        get
        {
            lock (_lock)
                return [.. _statuses];
        }
    }

    public XenbusBackendDevice Make(EchoBackend driver) => new(
        driver,
        new XenbusBackendContext(Dom0.Store, Dom0.Grants, Dom0.Events, BackendPath, FrontendPath, Guest.Id, DeviceId, _ => { }),
        Told);

    /// <summary>Allocates and publishes a ring and a channel, as a frontend does before Initialised.</summary>
    public (WorldPage Page, GrantRef Reference, WorldEventPort Port) Publish()
    {
        WorldPage page = Guest.Grants.AllocatePage();
        FrontRing<Rings.ShortRequest, Rings.ShortResponse>.Initialise(new SharedPages(page));
        GrantRef reference = Guest.Grants.Grant(page, Dom0.Id);
        WorldEventPort port = Guest.Events.AllocateUnbound(Dom0.Id);
        Front("ring-ref", reference.Value.ToString(CultureInfo.InvariantCulture));
        Front("event-channel", port.Port.Value.ToString(CultureInfo.InvariantCulture));
        return (page, reference, port);
    }

    public void Front(string name, string value) => World.Store.Write(FrontendPath + "/" + name, value);

    public void Front(XenbusState state) => Front("state", Text(state));

    public void Back(string name, string value) => World.Store.Write(BackendPath + "/" + name, value);

    /// <summary>What a toolstack does to detach the device.</summary>
    public void Detach() => Assert.Equal(XenErrno.OK, Dom0.Store.Transact(view =>
    {
        view.Write(BackendPath + "/online", "0");
        return view.Write(BackendPath + "/state", Text(XenbusState.Closing));
    }));

    public void WaitFor(XenbusState state)
    {
        bool came = World.Store.WaitFor(BackendPath + "/state", Text(state), Patience);
        Assert.True(came, $"not {state}: {Device.Status}");
    }

    /// <summary>Waits until the status is as told.</summary>
    public void WaitFor(Predicate<XenbusDeviceStatus> accepts)
    {
        lock (_statusChanged)
        {
            while (!accepts(Device.Status))
                Assert.True(Monitor.Wait(_statusChanged, Patience), "the status is " + Device.Status);
        }
    }

    /// <summary>To Connected, the usual way.</summary>
    public (WorldPage Page, GrantRef Reference, WorldEventPort Port) Connect()
    {
        WaitFor(XenbusState.InitWait);
        (WorldPage Page, GrantRef Reference, WorldEventPort Port) published = Publish();
        Front(XenbusState.Initialised);
        WaitFor(XenbusState.Connected);
        Front(XenbusState.Connected);
        return published;
    }

    /// <summary>Neither a mapping nor a port is held at this moment.</summary>
    public bool HoldsNothing => (Dom0.Grants.Mapped, Dom0.Events.Open) == (0, 0);

    public void AssertNothingHeld(int watches = 3)
    {
        Assert.Equal((0, 0), (Dom0.Grants.Mapped, Dom0.Events.Open));
        Assert.Equal(watches, Dom0.Held().Count);
        Assert.False(Driver.WasEnteredTwice);
    }

    public void Dispose()
    {
        Device.Dispose();
        World.Dispose();
    }

    public static string Text(XenbusState state) => ((int)state).ToString(CultureInfo.InvariantCulture);

    private readonly object _statusChanged = new();

    private void Told(XenbusDeviceStatus status)
    {
        lock (_lock)
            _statuses.Add(status);
        lock (_statusChanged)
            Monitor.PulseAll(_statusChanged);
    }
}
