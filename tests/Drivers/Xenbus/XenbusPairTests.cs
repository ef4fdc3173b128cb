using System.Diagnostics;
using Xen.Abi;
using Xen.GuestKit.Harness;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Xenbus;

/// <summary>Both halves of a driver pair in a world without a hypervisor.</summary>
public sealed class XenbusPairTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly World _world = new();
    private readonly WorldDomain _dom0;
    private readonly WorldDomain _guest;
    private readonly string _backendPath;
    private readonly string _frontendPath;
    private readonly object _changed = new();
    private readonly List<IDisposable> _devices = [];

    public XenbusPairTests()
    {
        (_dom0, _guest) = (_world.Domain(0), _world.Domain(3));
        (_backendPath, _frontendPath) = _world.Link(_dom0, _guest, "echo", 1);
    }

    public void Dispose()
    {
        _devices.ForEach(d => d.Dispose());
        Assert.Empty(_world.Held());
        Assert.Equal(0, _guest.Grants.Pages);
        _world.Dispose();
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(false, true, false)]
    [InlineData(true, false, false)]
    [InlineData(true, true, true)]
    [InlineData(false, false, true)]
    public void Pair_InEitherOrder_ConnectsAndEchoes(bool connectsDirectly, bool frontendFirst, bool skipsInitWait)
    {
        EchoFrontend driver = new(connectsDirectly);
        XenbusFrontendDevice? front = frontendFirst ? StartFrontend(driver, skipsInitWait) : null;
        XenbusBackendDevice back = StartBackend(new EchoBackend());
        front ??= StartFrontend(driver, skipsInitWait);
        AwaitConnected(front, back);
        driver.Echo(2000, Patience);
        Assert.Equal((1, 1), (driver.Published, driver.Connected));
    }

    [Fact]
    public void Pair_ClosedByTheFrontendAndOpenedAgain_Echoes()
    {
        EchoFrontend driver = new(connectsDirectly: false);
        XenbusBackendDevice back = StartBackend(new EchoBackend());
        XenbusFrontendDevice front = StartFrontend(driver);
        for (int i = 0; i < 20; i++)
        {
            AwaitConnected(front, back);
            driver.Echo(10, Patience);
            front.RequestClose();
            Await(() => front.Status.Own == XenbusState.Closed && back.Status.Own == XenbusState.Closed, front, back);
            Assert.Equal("closed: it was asked for", front.Status.Text);
            front.Open();
        }

        AwaitConnected(front, back);
        Assert.Equal((21, 20), (driver.Published, driver.Disconnected));
    }

    [Fact]
    public void Pair_DetachedByTheToolstack_Closes()
    {
        EchoFrontend driver = new(connectsDirectly: true);
        XenbusBackendDevice back = StartBackend(new EchoBackend());
        XenbusFrontendDevice front = StartFrontend(driver);
        AwaitConnected(front, back);
        _dom0.Store.Write(_backendPath + "/online", "0");
        _dom0.Store.Write(_backendPath + "/state", "5");
        Await(() => front.Status.Own == XenbusState.Closed && back.Status.IsFinished, front, back);
        Await(() => front.Status.Text is "closed: the backend is Closing" or "closed: the backend is Closed", front, back);
    }

    [Fact]
    public void Pair_BackendRestarted_FrontendOpensAgain()
    {
        EchoFrontend driver = new(connectsDirectly: false);
        XenbusBackendDevice back = StartBackend(new EchoBackend());
        XenbusFrontendDevice front = StartFrontend(driver);
        AwaitConnected(front, back);
        back.Dispose();
        Await(() => front.Status.Own == XenbusState.Closed, front, back);
        back = StartBackend(new EchoBackend());
        front.Open();
        AwaitConnected(front, back);
        driver.Echo(100, Patience);
    }

    [Fact]
    public void Frontend_WhoseBackendBeginsAnewWithoutClosing_PublishesAgain()
    {
        EchoFrontend driver = new(connectsDirectly: false);
        XenbusFrontendDevice front = StartFrontend(driver);
        _dom0.Store.Write(_backendPath + "/feature-echo", "1");
        _dom0.Store.Write(_backendPath + "/state", "2");
        Await(() => front.Status.Own == XenbusState.Initialised, front);
        _dom0.Store.Write(_backendPath + "/state", "4");
        Await(() => IsConnected(front), front);
        _dom0.Store.Write(_backendPath + "/state", "2");
        Await(() => driver.Published == 2 && front.Status.Own == XenbusState.Initialised, front);
        Assert.Equal((1, 1), (driver.Connected, driver.Disconnected));
    }

    [Fact]
    public void Pair_Reconfigured_IsConnectedAgainOnTheSameRing()
    {
        EchoFrontend driver = new(connectsDirectly: false);
        EchoBackend backDriver = new();
        XenbusBackendDevice back = StartBackend(backDriver);
        XenbusFrontendDevice front = StartFrontend(driver);
        AwaitConnected(front, back);
        _dom0.Store.Write(_backendPath + "/state", "7");
        Await(() => driver.Reconfigured == 1 && backDriver.Reconfigured == 1 && IsConnected(front) && IsConnected(back), front, back);
        driver.Echo(100, Patience);
        Assert.Equal((1, 1), (driver.Published, backDriver.Connected));
    }

    [Fact]
    public void Pair_BackendWritesItsStateAgain_FrontendLooksAgain()
    {
        EchoFrontend driver = new(connectsDirectly: false);
        XenbusBackendDevice back = StartBackend(new EchoBackend());
        XenbusFrontendDevice front = StartFrontend(driver);
        AwaitConnected(front, back);
        int before = driver.Changed;
        _dom0.Store.Write(_backendPath + "/state", "4");
        Await(() => driver.Changed > before, front, back);
    }

    [Fact]
    public void Frontend_ThatFails_ClosesAndTheBackendFollows()
    {
        EchoFrontend driver = new(connectsDirectly: false);
        XenbusBackendDevice back = StartBackend(new EchoBackend());
        XenbusFrontendDevice front = StartFrontend(driver);
        AwaitConnected(front, back);
        driver.Fail("backend's rsp_prod cannot be");
        Await(() => front.Status.Text == "failed: backend's rsp_prod cannot be" && back.Status.Own == XenbusState.Closed, front, back);
        driver.ConnectError = "backend offers no sectors";
        front.Open();
        Await(() => front.Status.Text == "failed: backend offers no sectors" && back.Status.Own == XenbusState.Closed, front, back);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("9")]
    public void Hostile_BackendStateThatIsNone_ClosesTheFrontend(string state)
    {
        EchoFrontend driver = new(connectsDirectly: false);
        XenbusFrontendDevice front = StartFrontend(driver, skipsInitWait: true);
        Await(() => front.Status.Own == XenbusState.Initialised, front);
        _dom0.Store.Write(_backendPath + "/state", state);
        Await(() => front.Status.Text == $"failed: backend wrote state='{state}', which is not a state", front);
    }

    [Fact]
    public void Backend_Vanishes_FrontendCloses()
    {
        EchoFrontend driver = new(connectsDirectly: false);
        XenbusBackendDevice back = StartBackend(new EchoBackend());
        XenbusFrontendDevice front = StartFrontend(driver);
        AwaitConnected(front, back);
        _world.Store.Remove(_backendPath);
        Await(() => front.Status.Text == "closed: the backend has vanished" && back.Status.IsFinished, front, back);
    }

    private XenbusBackendDevice StartBackend(EchoBackend driver)
    {
        XenbusBackendDevice device = new(
            driver, new XenbusBackendContext(_dom0.Store, _dom0.Grants, _dom0.Events, _backendPath, _frontendPath, _guest.Id, 1, _ => { }), Changed);
        _devices.Add(device);
        Assert.Null(device.Start());
        return device;
    }

    private XenbusFrontendDevice StartFrontend(EchoFrontend driver, bool skipsInitWait = false)
    {
        XenbusFrontendDevice device = new(
            driver,
            new XenbusFrontendContext(_guest.Store, _guest.Grants, _guest.Events, _frontendPath, _backendPath, _dom0.Id, 1, _ => { }),
            new XenbusFrontendOptions(skipsInitWait),
            Changed);
        _devices.Add(device);
        Assert.Null(device.Start());
        return device;
    }

    private static bool IsConnected(XenbusDevice device) => device.Status is { Own: XenbusState.Connected, Text: "connected" };

    private void AwaitConnected(XenbusDevice front, XenbusDevice back) => Await(() => IsConnected(front) && IsConnected(back), front, back);

    private void Await(Func<bool> condition, params XenbusDevice[] devices)
    {
        // Not every change that a condition looks at comes with a new status: look now and then without one, too.
        long start = Stopwatch.GetTimestamp();
        lock (_changed)
        {
            while (!condition())
            {
                Assert.True(Stopwatch.GetElapsedTime(start) < Patience, string.Join("; ", devices.Select(d => d.Status.ToString())));
                Monitor.Wait(_changed, TimeSpan.FromMilliseconds(5));
            }
        }
    }

    private void Changed(XenbusDeviceStatus status)
    {
        lock (_changed)
            Monitor.PulseAll(_changed);
    }
}
