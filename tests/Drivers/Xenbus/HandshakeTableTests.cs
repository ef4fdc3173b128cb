using Xen.Abi;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Xenbus;

/// <summary>Every state of one end by every state of the other, as tables.</summary>
public sealed class HandshakeTableTests
{
    private static readonly XenbusState?[] Peers = [null, .. Enumerable.Range(0, 9).Select(i => (XenbusState?)i)];

    private static readonly Dictionary<char, BackendStep> BackendLetters = new()
    {
        ['.'] = BackendStep.Wait,
        ['o'] = BackendStep.Offer,
        ['c'] = BackendStep.Connect,
        ['g'] = BackendStep.BeginClosing,
        ['x'] = BackendStep.Close,
        ['r'] = BackendStep.Reconfigure,
        ['m'] = BackendStep.Resume,
    };

    private static readonly Dictionary<char, FrontendStep> FrontendLetters = new()
    {
        ['.'] = FrontendStep.Wait,
        ['p'] = FrontendStep.Publish,
        ['c'] = FrontendStep.Connect,
        ['s'] = FrontendStep.Restart,
        ['x'] = FrontendStep.Close,
        ['g'] = FrontendStep.BeginClosing,
        ['q'] = FrontendStep.BeginReconfiguring,
        ['r'] = FrontendStep.Reconfigure,
    };

    // Columns: the frontend is absent, Unknown, Initialising, InitWait, Initialised, Connected, Closing, Closed, Reconfiguring, Reconfigured.
    [Theory]
    [InlineData(XenbusState.Unknown, "oo oo oo gx oo")]
    [InlineData(XenbusState.Initialising, "oo oo oo gx oo")]
    [InlineData(XenbusState.InitWait, ".. .. cc gx ..")]
    [InlineData(XenbusState.Initialised, "xx oo cc gx ..")]
    [InlineData(XenbusState.Connected, "xx oo .. gx r.")]
    [InlineData(XenbusState.Closing, "xx oo .. .x ..")]
    [InlineData(XenbusState.Closed, ".. oo .. .. ..")]
    [InlineData(XenbusState.Reconfiguring, "xx oo .. gx rr")]
    [InlineData(XenbusState.Reconfigured, "xx oo .m gx .m")]
    public void Backend_OnlineAndNotAskedToClose(XenbusState own, string steps) => CheckBackend(own, steps, v => v);

    [Theory]
    [InlineData(XenbusState.Initialising, "xx xx xx xx xx")]
    [InlineData(XenbusState.InitWait, "xx xx xx xx xx")]
    [InlineData(XenbusState.Closing, "xx xx xx xx xx")]
    [InlineData(XenbusState.Closed, ".. .. .. .. ..")]
    public void Backend_AskedToCloseAndNotConnected_ClosesAtOnce(XenbusState own, string steps) =>
        CheckBackend(own, steps, v => v with { IsConnected = false, IsCloseAsked = true, IsOnline = false });

    [Theory]
    [InlineData(XenbusState.Connected, "gg gg gg gg gg")]
    [InlineData(XenbusState.Closing, "xx xx .. .x ..")]
    [InlineData(XenbusState.Reconfiguring, "gg gg gg gg gg")]
    public void Backend_AskedToCloseAndConnected_WaitsForTheFrontend(XenbusState own, string steps) =>
        CheckBackend(own, steps, v => v with { IsConnected = true, IsCloseAsked = true, IsOnline = false });

    [Theory]
    [InlineData(XenbusState.Closing, "xx .. .. .x ..")]
    [InlineData(XenbusState.Closed, ".. .. .. .. ..")]
    public void Backend_ThatFailed_DoesNotTryAgainBeforeTheFrontendMoves(XenbusState own, string steps) =>
        CheckBackend(own, steps, v => v with { IsConnected = false, IsStuck = true });

    // Columns: the backend, in the same order.
    [Theory]
    [InlineData(XenbusState.Initialising, false, ".. .p pp x. ..")]
    [InlineData(XenbusState.Initialised, false, "xx .. .c xx ..")]
    [InlineData(XenbusState.Connected, false, "xx .. .c xx ..")]
    [InlineData(XenbusState.Connected, true, "xx ss .. xx q.")]
    [InlineData(XenbusState.Closing, true, "xx xx .. xx ..")]
    [InlineData(XenbusState.Closed, false, ".. .. .. .. ..")]
    [InlineData(XenbusState.Reconfiguring, true, "xx ss .r xx .r")]
    public void Frontend_NotAskedToClose(XenbusState own, bool isConnected, string steps) =>
        CheckFrontend(own, steps, v => v with { IsConnected = isConnected });

    [Theory]
    [InlineData(XenbusState.Initialising, "xx xx xx xx xx")]
    [InlineData(XenbusState.Initialised, "xx gg gg gg gg")]
    [InlineData(XenbusState.Connected, "xx gg gg gg gg")]
    public void Frontend_AskedToClose(XenbusState own, string steps) => CheckFrontend(own, steps, v => v with { IsCloseAsked = true });

    [Fact]
    public void Frontend_ThatSkipsInitWait_PublishesToABackendThatStarts() => Assert.Equal(
        FrontendStep.Publish,
        FrontendHandshake.Next(new FrontendView(XenbusState.Initialising, XenbusState.Initialising, false, false, SkipsInitWait: true)));

    /// <summary>While the frontend rests, the backend comes to rest: from no state, under no circumstances, does it go round in circles.</summary>
    [Fact]
    public void Backend_WhateverTheFrontendsState_ComesToRest()
    {
        foreach (XenbusState? frontend in Peers)
        {
            for (int own = 0; own <= 8; own++)
            {
                for (int flags = 0; flags < 16; flags++)
                {
                    BackendView view = new((XenbusState)own, frontend, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, (flags & 8) != 0);
                    int steps = 0;
                    for (BackendStep step; (step = BackendHandshake.Next(view)) != BackendStep.Wait; steps++)
                    {
                        Assert.True(steps < 5, $"{view} does not rest");
                        view = After(view, step);
                    }
                }
            }
        }
    }

    private static BackendView After(BackendView view, BackendStep step) => step switch
    {
        BackendStep.Offer => view with { Own = XenbusState.InitWait, IsConnected = false, IsStuck = false },
        BackendStep.Connect => view with { Own = XenbusState.Connected, IsConnected = true },
        BackendStep.BeginClosing => view with { Own = XenbusState.Closing },
        BackendStep.Close => view with { Own = XenbusState.Closed, IsConnected = false, IsCloseAsked = false },
        BackendStep.Reconfigure => view with { Own = XenbusState.Reconfigured },
        _ => view with { Own = XenbusState.Connected },
    };

    private static void CheckBackend(XenbusState own, string steps, Func<BackendView, BackendView> with)
    {
        string letters = steps.Replace(" ", "", StringComparison.Ordinal);
        Assert.Equal(Peers.Length, letters.Length);
        bool isConnected = own is XenbusState.Connected or XenbusState.Closing or XenbusState.Reconfiguring or XenbusState.Reconfigured;
        for (int i = 0; i < Peers.Length; i++)
        {
            BackendView view = with(new BackendView(own, Peers[i], isConnected, IsOnline: true, IsCloseAsked: false, IsStuck: false));
            Assert.Equal((view, BackendLetters[letters[i]]), (view, BackendHandshake.Next(view)));
        }
    }

    private static void CheckFrontend(XenbusState own, string steps, Func<FrontendView, FrontendView> with)
    {
        string letters = steps.Replace(" ", "", StringComparison.Ordinal);
        for (int i = 0; i < Peers.Length; i++)
        {
            FrontendView view = with(new FrontendView(own, Peers[i], IsConnected: false, IsCloseAsked: false, SkipsInitWait: false));
            Assert.Equal((view, FrontendLetters[letters[i]]), (view, FrontendHandshake.Next(view)));
        }
    }
}
