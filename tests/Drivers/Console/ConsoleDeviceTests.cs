using Xen.Abi;
using Xen.Drivers.Console;
using Xen.GuestKit.Harness;

namespace Xen.Drivers.Tests.Console;

/// <summary>Consoles beyond the first: the xenbus handshake with hvc_xen's order of things, and guests that break it.</summary>
public sealed class ConsoleDeviceTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(0u)]
    [InlineData(uint.MaxValue - 3)]
    public async Task Handshake_ThenBytesGoBothWays(uint start)
    {
        using ConsoleFrontend console = new(_world, 1);
        console.WaitFor(XenbusState.InitWait);
        console.Connect(start);
        console.PrintAll("to the host");
        Assert.Equal("to the host", await console.ReadAsync(11));
        await console.Pipe.WriteAsync("to the guest"u8.ToArray(), CancellationToken.None);
        Assert.Equal("to the guest", console.Take(12));
        Assert.True(console.Page.Marked > 0, "what was decoded of the page is looked at again");
    }

    [Fact]
    public async Task Reconnect_TheSamePipeServesTheNextPage_AndNothingIsHeld()
    {
        using ConsoleFrontend console = new(_world, 1);
        console.Connect();
        console.PrintAll("one ");
        console.SetState(XenbusState.Closing);
        console.WaitFor(XenbusState.Closing);
        console.PrintAll("two ");
        console.SetState(XenbusState.Closed);
        console.WaitFor(XenbusState.Closed);
        AssertNothingHeld();
        console.SetState(XenbusState.Initialising);
        console.WaitFor(XenbusState.InitWait);
        console.Connect();
        console.PrintAll("three");
        Assert.Equal("one two three", await console.ReadAsync(13));
    }

    [Theory]
    [InlineData("ring-ref", "abc", "ring-ref='abc', which is not a number")]
    [InlineData("ring-ref", "4000000000", "ring-ref=4000000000 cannot be mapped")]
    [InlineData("port", "0", "port=0")]
    [InlineData("port", "77", "port=77 cannot be bound")]
    [InlineData("port", "-1", "which is not a number")]
    [InlineData("protocol", "vt220", "a protocol that is not vt100")]
    public void Hostile_Nodes_AreRefusedWithAReason_AndABetterTryIsServed(string node, string value, string reason)
    {
        using ConsoleFrontend console = new(_world, 1);
        console.WaitFor(XenbusState.InitWait);
        console.Write("ring-ref", "8");
        console.Write("port", "1");
        WorldDomain guest = _world.Domain(3);
        console.Write("ring-ref", guest.Grants.Grant(guest.Grants.AllocatePage(), new DomId(0)).Value.ToString());
        console.Write("port", guest.Events.AllocateUnbound(new DomId(0)).Port.Value.ToString());
        console.Write(node, value);
        console.SetState(XenbusState.Initialised);
        console.WaitFor(XenbusState.Closing);
        Assert.Contains(reason, console.Error, StringComparison.Ordinal);
        Assert.Equal("22 " + console.Error, _world.Store.Read("/local/domain/0/error/backend/console/3/1/error"));
        AssertNothingHeld();
        console.SetState(XenbusState.Closed);
        console.WaitFor(XenbusState.Closed);
        console.Write("protocol", ConsoleDevice.Protocol);
        console.SetState(XenbusState.Initialising);
        console.WaitFor(XenbusState.InitWait);
        console.Connect();
        Assert.Null(_world.Store.Read("/local/domain/0/error/backend/console/3/1/error"));
    }

    [Theory]
    [InlineData(2049u, true)]
    [InlineData(uint.MaxValue, true)]
    [InlineData(1u, false)]
    [InlineData(0x8000_0000u, false)]
    public async Task Hostile_BrokenIndices_CloseThisConsoleOnly(uint ahead, bool output)
    {
        using ConsoleFrontend broken = new(_world, 1), sound = new(_world, 2);
        broken.Connect();
        sound.Connect();
        broken.Lie(output, ahead);
        broken.WaitFor(XenbusState.Closing);
        Assert.StartsWith(output ? "console out ring: " : "console in ring: ", broken.Error, StringComparison.Ordinal);
        sound.PrintAll("alive");
        Assert.Equal("alive", await sound.ReadAsync(5));
        Assert.Equal(1, _world.Domain(0).Grants.Mapped);
        broken.SetState(XenbusState.Closed);
        broken.WaitFor(XenbusState.Closed);
        broken.SetState(XenbusState.Initialising);
        broken.WaitFor(XenbusState.InitWait);
        broken.Connect();
        broken.PrintAll("back");
        Assert.EndsWith("back", await broken.ReadAsync(4), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hostile_IndicesBrokenBeforeItConnects_CloseIt()
    {
        using ConsoleFrontend console = new(_world, 1);
        console.WaitFor(XenbusState.InitWait);
        _world.Domain(0).Grants.FailMap = (_, _) =>
        {
            console.Page[3084] = 5000;
            return GrantStatus.Okay;
        };
        console.Publish();
        console.WaitFor(XenbusState.Closing);
        Assert.StartsWith("console out ring: ", console.Error, StringComparison.Ordinal);
        AssertNothingHeld();
        console.Pipe.End();
        Assert.Equal(0, await console.Pipe.ReadAsync(new byte[10], CancellationToken.None));
    }

    [Fact]
    public async Task NobodyReadsOne_OrItsReaderStops_TheOtherIsNotHeldUp()
    {
        using ConsoleFrontend unread = new(_world, 1), stalled = new(_world, 2), served = new(_world, 3);
        unread.Connect();
        stalled.Connect();
        served.Connect();

        // Somebody began to read, and does not go on: the guest waits at this console.
        stalled.PrintAll("x");
        await stalled.ReadAsync(1);
        int taken = 0;
        Assert.True(SpinWait.SpinUntil(() => (taken += stalled.Print(new byte[2048])) >= ConsolePipe.OutputCapacity + 2048, ConsoleFrontend.Patience));

        unread.PrintAll(new string('u', 500_000));
        for (int i = 0; i < 50; i++)
        {
            served.PrintAll(new string('s', 1000));
            Assert.Equal(1000, (await served.ReadAsync(1000)).Length);
        }

        Assert.Equal(0, stalled.Print(new byte[1]));
        Assert.Equal(500_000 - ConsolePipe.OutputCapacity, unread.Pipe.LostBytes);

        // The reader leaves for good: the guest goes on.
        stalled.Pipe.StopReading();
        stalled.PrintAll(new string('z', 10_000));
    }

    [Fact]
    public async Task GuestDies_WhatItPrintedIsRead_AndNothingIsHeld()
    {
        using ConsoleFrontend console = new(_world, 1);
        console.Connect();
        console.PrintAll("last words");
        _world.Domain(3).Die();
        console.Dispose();
        AssertNothingHeld();
        Assert.Equal("last words", await console.ReadAsync(10));
    }

    private void AssertNothingHeld()
    {
        WorldDomain dom0 = _world.Domain(0);
        Assert.Equal((0, 0), (dom0.Grants.Mapped, dom0.Events.Open));
    }
}
