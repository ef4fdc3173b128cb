using Xen.Abi;
using Xen.Drivers.Tests.Rings;
using Xen.GuestKit.Harness;
using Xen.Rings;

namespace Xen.Drivers.Tests.Xenbus;

/// <summary>Frontends that die in every state, write what is no state, and change their mind while the backend acts.</summary>
public sealed class HostileFrontendTests
{
    public static TheoryData<XenbusState, bool> Deaths
    {
        get
        {
            TheoryData<XenbusState, bool> data = [];
            for (int state = 0; state <= 8; state++)
            {
                data.Add((XenbusState)state, false);
                data.Add((XenbusState)state, true);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Deaths))]
    public void Hostile_FrontendDiesInAnyState_NothingIsHeldAndANewOneIsServed(XenbusState state, bool afterConnecting)
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        if (afterConnecting)
            f.Connect();
        f.Front(state);
        f.Guest.Die();
        f.WaitFor(s => s.Peer is null && s.Own is XenbusState.InitWait or XenbusState.Closed);
        f.AssertNothingHeld();
        WorldDomain again = f.World.Domain(3);
        Assert.NotSame(f.Guest, again);
        f.Front(XenbusState.Initialising);
        f.WaitFor(XenbusState.InitWait);
    }

    [Theory]
    [InlineData("9")]
    [InlineData("-1")]
    [InlineData("connected")]
    [InlineData("4 ")]
    [InlineData("18446744073709551620")]
    public void Hostile_GarbageForAState_ClosesTheDeviceAndSaysSo(string state)
    {
        using BackendFixture f = new();
        f.Connect();
        f.Front("state", state);
        f.WaitFor(s => s.Own == XenbusState.Closed);
        f.WaitFor(s => s.Text == $"failed: frontend wrote state='{state}', which is not a state");
        Assert.Equal($"frontend wrote state='{state}', which is not a state", f.World.Store.Read(f.BackendPath + "/error"));
        f.AssertNothingHeld();
        f.Front(XenbusState.Initialising);
        f.Connect();
    }

    [Fact]
    public void Hostile_AStateOfFourThousandBytes_IsQuotedShort()
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        f.Front("state", new string('7', 4000));
        f.WaitFor(s => s.Text.StartsWith("failed", StringComparison.Ordinal));
        Assert.InRange(f.Device.Status.Text.Length, 1, 120);
    }

    [Theory]
    [InlineData("ring-ref", null, "frontend never wrote ring-ref")]
    [InlineData("ring-ref", "abc", "frontend wrote ring-ref='abc', which is not a number")]
    [InlineData("ring-ref", "999", "frontend's ring-ref=999 cannot be mapped: BadGntref")]
    [InlineData("event-channel", null, "frontend never wrote event-channel")]
    [InlineData("event-channel", "77", "frontend's event-channel=77 cannot be bound: EINVAL")]
    public void Hostile_WrongNodes_AreNamedAndNothingIsHeld(string node, string? value, string reason)
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        f.Publish();
        f.World.Store.Remove(f.FrontendPath + "/" + node);
        if (value is not null)
            f.Front(node, value);
        f.Front(XenbusState.Initialised);
        f.WaitFor(XenbusState.Closing);
        f.WaitFor(s => s.Text == "failed: " + reason);
        f.AssertNothingHeld();
        Assert.Equal(1, f.Driver.Advertised);
    }

    [Fact]
    public void Hostile_FolderRemovedWhileConnecting_EndsWithNothingHeld()
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        f.Driver.WhileConnecting = () => f.World.Store.Remove(f.FrontendPath);
        f.Publish();
        f.Front(XenbusState.Initialised);
        f.WaitFor(XenbusState.Closed);
        f.WaitFor(s => s.Text == "closed: the frontend has vanished");
        f.AssertNothingHeld();
    }

    [Fact]
    public void Hostile_BackendFolderRemovedWhileConnecting_IsNotMadeAgain()
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        f.Driver.WhileConnecting = () => f.World.Store.Remove(f.BackendPath);
        f.Publish();
        f.Front(XenbusState.Initialised);
        f.WaitFor(s => s.IsFinished);
        f.AssertNothingHeld(watches: 0);
        Assert.Null(f.World.Store.Read(f.BackendPath));
    }

    [Fact]
    public void Hostile_ToolstackAsksToCloseWhileConnecting_TheRequestIsNotLost()
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        f.Driver.WhileConnecting = f.Detach;
        f.Publish();
        f.Front(XenbusState.Initialised);
        f.WaitFor(s => s.Own == XenbusState.Closing);
        f.Front(XenbusState.Closed);
        f.WaitFor(s => s.IsFinished);
        f.AssertNothingHeld(watches: 0);
    }

    [Fact]
    public void Hostile_ReadPermissionTakenAway_ClosesTheDevice()
    {
        using BackendFixture f = new();
        f.Connect();
        f.World.Store.Fail = (operation, path) => operation == "read" && path == f.FrontendPath + "/state" ? XenErrno.EACCES : XenErrno.OK;
        f.Front(XenbusState.Connected);
        f.WaitFor(s => s.Text == "failed: state of the frontend cannot be read: EACCES");
        f.AssertNothingHeld();
    }

    [Fact]
    public void Hostile_RingFault_ClosesTheDeviceWithItsReason()
    {
        using BackendFixture f = new();
        (WorldPage page, _, WorldEventPort port) = f.Connect();
        page[RingLayout.ReqProd] = 0x1000_0000;
        port.Notify();
        f.WaitFor(XenbusState.Closing);
        Assert.Contains("ring of 256 slots", f.World.Store.Read(f.BackendPath + "/error"), StringComparison.Ordinal);
        f.AssertNothingHeld();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Hostile_StatesThatFlipFast_EndInAStateThatFitsAndHoldNothing(int seed)
    {
        using BackendFixture f = new();
        f.WaitFor(XenbusState.InitWait);
        Random random = new(seed);
        string[] states = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "x", ""];
        for (int i = 0; i < 2000; i++)
        {
            switch (random.Next(40))
            {
                case 0:
                    f.Publish();
                    break;
                case 1:
                    f.World.Store.Remove(f.FrontendPath);
                    break;
                case 2:
                    f.Back("state", states[random.Next(states.Length)]);
                    break;
                case 3:
                    f.Driver.Context?.Fail("from outside");
                    break;
                default:
                    f.Front("state", states[random.Next(states.Length)]);
                    break;
            }
        }

        f.Front(XenbusState.Closed);
        f.WaitFor(s => s is { Own: XenbusState.Closed, Peer: XenbusState.Closed });

        // The status may be one of before: steps for the last of the flips may still be under way.
        Assert.True(SpinWait.SpinUntil(() => f.HoldsNothing, BackendFixture.Patience));
        f.Front(XenbusState.Initialising);
        f.Connect();
        f.Device.Dispose();
        f.AssertNothingHeld(watches: 0);
    }
}
