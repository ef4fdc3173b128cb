using Xen.Abi;
using Xen.GuestKit.Harness;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Xenbus;

/// <summary>A backend device through its whole life, with frontends that behave.</summary>
public sealed class XenbusBackendDeviceTests
{
    [Fact]
    public void Handshake_TheUsualWay_SaysAtEachPlaceWhatItWaitsFor()
    {
        using BackendFixture f = new();
        f.WaitFor(s => s.Text == "waiting: frontend is Initialising and has not published its rings");
        Assert.Equal("1", f.World.Store.Read(f.BackendPath + "/feature-echo"));
        f.Connect();
        f.WaitFor(s => s is { Own: XenbusState.Connected, Peer: XenbusState.Connected, Text: "connected" });
        f.Front(XenbusState.Closing);
        f.WaitFor(s => s.Text == "closing: the frontend is closing; waiting for the frontend, which is Closing");
        Assert.Equal(1, f.Dom0.Grants.Mapped);
        f.Front(XenbusState.Closed);
        f.WaitFor(s => s.Text == "closed: the frontend closed");
        f.AssertNothingHeld();
        Assert.Equal((1, 1, 1), (f.Driver.Advertised, f.Driver.Connected, f.Driver.Disconnected));
    }

    [Theory]
    [InlineData(XenbusState.Initialised)]
    [InlineData(XenbusState.Connected)]
    public void Shortcut_AFrontendThatDidNotWaitForInitWait_IsConnected(XenbusState state)
    {
        using BackendFixture f = new(start: false);
        f.Publish();
        f.Front(state);
        Assert.Null(f.Device.Start());
        f.WaitFor(XenbusState.Connected);
    }

    [Fact]
    public void Shortcut_ABackendLeftConnectedByAnEarlierOne_BeginsAnew()
    {
        using BackendFixture f = new(start: false);
        f.Back("state", BackendFixture.Text(XenbusState.Connected));
        f.Publish();
        f.Front(XenbusState.Connected);
        Assert.Null(f.Device.Start());
        f.WaitFor(s => s.Text == "connected");
        Assert.Equal((1, 1), (f.Driver.Advertised, f.Driver.Connected));
    }

    [Fact]
    public void Frontend_NotThereYet_IsWaitedFor()
    {
        using BackendFixture f = new(start: false);
        f.World.Store.Remove(f.FrontendPath);
        Assert.Null(f.Device.Start());
        f.WaitFor(s => s.Text.StartsWith("waiting: frontend has no state node", StringComparison.Ordinal));
        f.Front(XenbusState.Initialising);
        f.Connect();
    }

    [Fact]
    public void Reconnect_ManyTimes_HoldsNoMoreThanOneConnection()
    {
        using BackendFixture f = new();
        for (int i = 0; i < 50; i++)
        {
            (_, GrantRef reference, WorldEventPort port) = f.Connect();
            Assert.Equal((1, 1), (f.Dom0.Grants.Mapped, f.Dom0.Events.Open));
            f.Front(XenbusState.Closing);
            f.WaitFor(XenbusState.Closing);
            f.Front(XenbusState.Closed);
            f.WaitFor(XenbusState.Closed);
            f.AssertNothingHeld();
            Assert.True(f.Guest.Grants.EndAccess(reference));
            port.Dispose();
            f.Front(XenbusState.Initialising);
        }

        f.WaitFor(XenbusState.InitWait);
        Assert.Equal((51, 50), (f.Driver.Advertised, f.Driver.Connected));
    }

    [Fact]
    public void Windows_ACloseCycleBeforeTheFirstConnection_IsFollowed()
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        f.Front(XenbusState.Closing);
        f.WaitFor(XenbusState.Closing);
        f.Front(XenbusState.Closed);
        f.WaitFor(XenbusState.Closed);
        f.Front(XenbusState.Initialising);
        f.Connect();
    }

    [Fact]
    public void Frontend_ReplacedWithoutClosing_IsOfferedTheDeviceAgain()
    {
        using BackendFixture f = new();
        f.Connect();
        f.Front(XenbusState.Initialising);
        f.WaitFor(XenbusState.InitWait);
        f.AssertNothingHeld();
        f.Connect();
    }

    [Fact]
    public void Detach_OfAConnectedDevice_WaitsForTheFrontendAndIsFinished()
    {
        using BackendFixture f = new();
        f.Connect();
        f.Detach();
        f.WaitFor(s => s.Text == "closing: the toolstack asked; waiting for the frontend, which is Connected");
        Assert.Equal(1, f.Dom0.Grants.Mapped);
        f.Front(XenbusState.Closed);
        f.WaitFor(XenbusState.Closed);
        f.WaitFor(s => s.IsFinished);
        f.AssertNothingHeld(watches: 0);
        f.Front(XenbusState.Initialising);
        Assert.Equal("6", f.World.Store.Read(f.BackendPath + "/state"));
    }

    [Fact]
    public void Detach_OfADeviceThatNobodyUses_ClosesAtOnce()
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        f.Detach();
        f.WaitFor(s => s.IsFinished);
        Assert.Equal(("6", "closed: the toolstack asked"), (f.World.Store.Read(f.BackendPath + "/state"), f.Device.Status.Text));
        f.AssertNothingHeld(watches: 0);
    }

    [Fact]
    public void Start_OfADeviceThatIsOffline_IsFinishedAtOnce()
    {
        using BackendFixture f = new(start: false);
        f.Back("online", "0");
        Assert.Null(f.Device.Start());
        f.WaitFor(s => s.IsFinished);
        Assert.Equal(0, f.Driver.Advertised);
    }

    [Fact]
    public void RequestClose_WhileOnline_LeavesTheDeviceToBeOpenedAgain()
    {
        using BackendFixture f = new();
        f.Connect();
        f.Device.RequestClose();
        f.WaitFor(XenbusState.Closing);
        f.Front(XenbusState.Closed);
        f.WaitFor(XenbusState.Closed);
        f.Front(XenbusState.Initialising);
        f.Connect();
    }

    [Fact]
    public void ForceClose_DoesNotWaitForTheFrontend()
    {
        using BackendFixture f = new();
        f.Connect();
        f.Back("online", "0");
        f.Device.ForceClose();
        f.WaitFor(s => s.IsFinished);
        Assert.Equal("closed: by force", f.Device.Status.Text);
        f.AssertNothingHeld(watches: 0);
    }

    [Fact]
    public void Folder_Removed_IsNotMadeAgain()
    {
        using BackendFixture f = new();
        f.Connect();
        f.World.Store.Remove(f.BackendPath);
        f.WaitFor(s => s.IsFinished);
        f.AssertNothingHeld(watches: 0);
        f.Device.Dispose();
        Assert.Null(f.World.Store.Read(f.BackendPath));
        Assert.True(f.Driver.IsDisposed);
    }

    [Fact]
    public void Dispose_WhileConnected_GivesAllBackAndSaysClosed()
    {
        using BackendFixture f = new();
        f.Connect();
        f.Device.Dispose();
        f.AssertNothingHeld(watches: 0);
        Assert.Equal("6", f.World.Store.Read(f.BackendPath + "/state"));
        Assert.True(f.Device.Status.IsFinished && f.Driver.IsDisposed);
        f.Device.Dispose();
    }

    [Fact]
    public void Dispose_OfADeviceThatNeverStarted_WritesNothing()
    {
        using BackendFixture f = new(start: false);
        f.Device.Dispose();
        Assert.Equal("1", f.World.Store.Read(f.BackendPath + "/state"));
        Assert.True(f.Driver.IsDisposed);
    }

    [Fact]
    public void Restart_OfTheBackend_TakesTheRingAsItIs()
    {
        using BackendFixture f = new();
        f.Connect();
        f.Device.Dispose();
        EchoBackend second = new();
        using XenbusBackendDevice device = f.Make(second);
        Assert.Null(device.Start());
        f.WaitFor(XenbusState.Connected);
        Assert.Equal((1, 1), (f.Dom0.Grants.Mapped, f.Dom0.Events.Open));
    }

    [Fact]
    public void Reconfigure_TheToolstackAsks_BothEndsGoThroughIt()
    {
        using BackendFixture f = new();
        f.Connect();
        f.Back("state", BackendFixture.Text(XenbusState.Reconfiguring));
        f.WaitFor(s => s.Text == "reconfiguring: waiting for the frontend, which is Connected");
        f.Front(XenbusState.Reconfiguring);
        f.WaitFor(XenbusState.Reconfigured);
        Assert.Equal(1, f.Driver.Reconfigured);
        f.Front(XenbusState.Connected);
        f.WaitFor(XenbusState.Connected);
        Assert.Equal((1, 1), (f.Driver.Connected, f.Dom0.Grants.Mapped));
    }

    [Fact]
    public void Reconfigure_Fails_ClosesTheDevice()
    {
        using BackendFixture f = new();
        f.Driver.ReconfigureError = "no such slot";
        f.Connect();
        f.Front(XenbusState.Reconfiguring);
        f.WaitFor(XenbusState.Closing);
        f.WaitFor(s => s.Text == "failed: no such slot");
        f.AssertNothingHeld();
    }

    [Fact]
    public void Advertise_Fails_TheReasonIsInTheStoreAndTheToolstackMayTryAgain()
    {
        using BackendFixture f = new(start: false);
        f.Driver.AdvertiseError = "debian.img is locked by d5";
        Assert.Null(f.Device.Start());
        f.WaitFor(XenbusState.Closing);
        f.WaitFor(s => s.Text == "failed: debian.img is locked by d5");
        foreach (string name in new[] { "error", "hotplug-error" })
            Assert.Equal("debian.img is locked by d5", f.World.Store.Read(f.BackendPath + "/" + name));
        Assert.Equal("error", f.World.Store.Read(f.BackendPath + "/hotplug-status"));
        Assert.Equal("19 debian.img is locked by d5", f.World.Store.Read($"/local/domain/0/error/backend/echo/3/{BackendFixture.DeviceId}/error"));
        Assert.Equal(1, f.Driver.Advertised);
        f.Driver.AdvertiseError = null;
        f.Back("state", BackendFixture.Text(XenbusState.Initialising));
        f.Connect();
        Assert.Null(f.World.Store.Read(f.BackendPath + "/error"));
        Assert.Null(f.World.Store.Read($"/local/domain/0/error/backend/echo/3/{BackendFixture.DeviceId}/error"));
    }

    [Fact]
    public void Fail_WhileConnected_ClosesAndAFrontendThatBeginsAnewIsServed()
    {
        using BackendFixture f = new();
        f.Connect();
        Action<string> fail = f.Driver.Context!.Fail;
        fail("the image vanished");
        f.WaitFor(XenbusState.Closing);
        f.WaitFor(s => s.Text == "failed: the image vanished");
        Assert.Equal("5 the image vanished", f.World.Store.Read(XenbusBackendDevice.ErrorPath(f.BackendPath) + "/error"));
        f.AssertNothingHeld();
        f.Front(XenbusState.Closed);
        f.WaitFor(XenbusState.Closed);
        Assert.Equal("failed: the image vanished", f.Device.Status.Text);
        f.Front(XenbusState.Initialising);
        f.Connect();
        fail("too late");
        f.Front(XenbusState.Closing);
        f.WaitFor(XenbusState.Closing);
        Assert.DoesNotContain(f.Statuses, s => s.Text.Contains("too late", StringComparison.Ordinal));
    }

    [Fact]
    public void Start_TheStoreRefusesAWatch_SaysWhich()
    {
        using BackendFixture f = new(start: false);
        f.World.Store.Fail = (operation, path) => operation == "watch" && path.EndsWith("/online", StringComparison.Ordinal) ? XenErrno.E2BIG : XenErrno.OK;
        Assert.Equal($"xenstore refused a watch on {f.BackendPath}/online: E2BIG", f.Device.Start());
        f.World.Store.Fail = null;
        f.Device.Dispose();
        f.AssertNothingHeld(watches: 0);
    }
}
