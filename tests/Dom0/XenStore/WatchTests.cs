using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Watches: who hears of what, as tables.</summary>
public sealed class WatchTests
{
    [Fact]
    public void Watch_FiresAtOnceAndForAllBelow() => StoreScript.Check("""
        d0 - WATCH /a tok           = OK
        d0 - EVENTS                 = /a:tok
        d0 - WRITE /a/b/c 1         = OK
        d0 - EVENTS                 = /a/b/c:tok
        d0 - WRITE /ab 1            = OK
        d0 - EVENTS                 = ''
        d0 - MKDIR /a/d             = OK
        d0 - MKDIR /a/d             = OK
        d0 - SETPERMS /a r0         = OK
        d0 - RM /a/b                = OK
        d0 - EVENTS                 = /a/d:tok /a:tok /a/b:tok
        d0 - UNWATCH /a tok         = OK
        d0 - WRITE /a x             = OK
        d0 - EVENTS                 = ''
        d0 - UNWATCH /a tok         = ENOENT
        """);

    [Fact]
    public void Watch_OfPathAndTokenThatAreSet_Exists() => StoreScript.Check("""
        d0 - WATCH /a t             = OK
        d0 - WATCH /a t             = EEXIST
        d0 - WATCH /a u             = OK
        d0 - WATCH /b t             = OK
        d0b - WATCH /a t            = OK
        d5 - WATCH x t              = OK
        d5 - WATCH /local/domain/5/x t = EEXIST
        """);

    [Fact]
    public void RelativeWatches_HearRelativePaths() => StoreScript.Check("""
        d0 - MKDIR /local/domain/5  = OK
        d0 - SETPERMS /local/domain/5 n5 = OK
        d5 - WATCH device t         = OK
        d5 - WATCH /local/domain/5/device u = OK
        d5 - EVENTS                 = device:t /local/domain/5/device:u
        d0 - WRITE /local/domain/5/device/vbd/1 x = OK
        d5 - EVENTS                 = device/vbd/1:t /local/domain/5/device/vbd/1:u
        d0 - RM /local/domain/5/device = OK
        d5 - EVENTS                 = device:t /local/domain/5/device:u
        d5 - UNWATCH device t       = OK
        """);

    [Fact]
    public void Removal_FiresWatchesOnWhatWasBelow() => StoreScript.Check("""
        d0 - WRITE /a/b/c 1         = OK
        d0 - WRITE /a/d 1           = OK
        d0 - WATCH /a/b/c c         = OK
        d0 - WATCH /a/b b           = OK
        d0 - WATCH /a/none n        = OK
        d0 - WATCH / r              = OK
        d0 - EVENTS                 = /a/b/c:c /a/b:b /a/none:n /:r
        d0 - RM /a                  = OK
        d0 - EVENTS                 = /a/b/c:c /a/b:b /a:r
        """);

    [Fact]
    public void Watchers_HearOfWhatTheyMayReadOnly() => StoreScript.Check("""
        d0 - WRITE /a/open 1        = OK
        d0 - SETPERMS /a/open r0    = OK
        d0 - WRITE /a/closed 1      = OK
        d5 - WATCH /a t             = OK
        d5 - EVENTS                 = /a:t
        d0 - WRITE /a/closed 2      = OK
        d0 - WRITE /a/new 2         = OK
        d5 - EVENTS                 = ''
        d0 - WRITE /a/open 2        = OK
        d5 - EVENTS                 = /a/open:t
        d0 - SETPERMS /a/open n0    = OK
        d5 - EVENTS                 = /a/open:t
        d0 - SETPERMS /a/open n0    = OK
        d5 - EVENTS                 = ''
        d0 - SETPERMS /a/open r0    = OK
        d5 - EVENTS                 = /a/open:t
        d0 - RM /a/open             = OK
        d5 - EVENTS                 = /a/open:t
        d0 - SETPERMS /a r0         = OK
        d5 - EVENTS                 = /a:t
        d0 - WRITE /a/closed 3      = OK
        d5 - EVENTS                 = /a/closed:t
        """);

    [Fact]
    public void DepthOfAWatch_LimitsWhatItHears() => StoreScript.Check("""
        d0 - WATCH /a t 1           = OK
        d0 - WATCH /a u 0           = OK
        d0 - WATCH / v 1            = OK
        d0 - WATCH /a w x           = EINVAL
        d0 - EVENTS                 = /a:t /a:u /:v
        d0 - WRITE /a/b/c 1         = OK
        d0 - EVENTS                 = ''
        d0 - WRITE /a/b 1           = OK
        d0 - EVENTS                 = /a/b:t
        d0 - WRITE /a 1             = OK
        d0 - EVENTS                 = /a:t /a:u /a:v
        """);

    [Fact]
    public void SpecialWatches_HearOfDomains()
    {
        using var script = new StoreScript();
        script.Run("""
            d0 - WATCH @introduceDomain i = OK
            d0 - WATCH @releaseDomain r = OK
            d0 - WATCH @releaseDomain p 1 = OK
            d0 - WATCH @releaseDomain/7 s = OK
            d0 - WATCH @releaseDomain q 2 = EINVAL
            d6 - WATCH @releaseDomain g = OK
            d0 - EVENTS                 = @introduceDomain:i @releaseDomain:r @releaseDomain:p @releaseDomain/7:s
            d6 - EVENTS                 = @releaseDomain:g
            """);
        script.Server.IntroduceDomain(new DomId(5), new StorePage(), new StoreEvents());
        script.Run("d0 - EVENTS = @introduceDomain:i");
        script.Server.IntroduceDomain(new DomId(5), new StorePage(), new StoreEvents());
        script.Run("d0 - EVENTS = ''");
        Assert.Equal(XenErrno.OK, script.Server.NotifyShutdown(new DomId(5)));
        Assert.Equal(XenErrno.OK, script.Server.NotifyShutdown(new DomId(5)));
        script.Run("d0 - EVENTS = @releaseDomain:r @releaseDomain/5:p");
        script.Run("d0 - RESUME 5 = OK");
        script.Server.NotifyShutdown(new DomId(5));
        script.Run("d0 - EVENTS = @releaseDomain:r @releaseDomain/5:p");
        Assert.Equal(XenErrno.OK, script.Server.ReleaseDomain(new DomId(5)));
        Assert.Equal(XenErrno.ENOENT, script.Server.ReleaseDomain(new DomId(5)));
        script.Server.IntroduceDomain(new DomId(7), new StorePage(), new StoreEvents());
        script.Server.ReleaseDomain(new DomId(7));
        script.Run("""
            d0 - EVENTS                 = @releaseDomain:r @releaseDomain/5:p @introduceDomain:i @releaseDomain/7:p @releaseDomain/7:s
            d6 - EVENTS                 = ''
            d0 - SETPERMS @releaseDomain r0 = OK
            d0 - RAW ISDOMAININTRODUCED 7| = F
            """);
        script.Server.IntroduceDomain(new DomId(7), new StorePage(), new StoreEvents());
        script.Run("d0 - RAW ISDOMAININTRODUCED 7| = T");
        script.Server.ReleaseDomain(new DomId(7));
        script.Run("d6 - EVENTS = @releaseDomain:g");
    }

    [Fact]
    public void EventThatWaits_IsNotQueuedAgain()
    {
        using var script = new StoreScript();
        script.Run("d0 - WATCH /a t = OK");
        ScriptClient client = script.Client("d0");
        client.TakeEvents();
        for (int i = 0; i < 1000; i++)
            script.Run($"d0b - WRITE /a/{i % 10} {i} = OK");
        Assert.Equal(10, client.Outbox.Count);
        Assert.Equal(10, client.TakeEvents().Count);
        script.Run("""
            d0b - WRITE /a/1 again      = OK
            d0 - EVENTS                 = /a/1:t
            """);
    }

    [Fact]
    public void EventsThatDoNotFit_BecomeOneForEachWatch()
    {
        using var script = new StoreScript(new StoreQuotas { EventBytes = 1000 });
        script.Run("""
            d0 - MKDIR /a               = OK
            d0 - SETPERMS /a r0         = OK
            d5 - WATCH /a t             = OK
            d5 - WATCH /a u             = OK
            d5 - EVENTS                 = /a:t /a:u
            """);
        for (int i = 0; i < 10_000; i++)
            script.Run($"d0 - WRITE /a/node{i} {i} = OK");
        ScriptClient client = script.Client("d5");
        Assert.InRange(client.Outbox.Count, 2, 50);
        IReadOnlyList<string> events = client.TakeEvents();
        Assert.Contains("/a:t", events);
        Assert.Contains("/a:u", events);
        script.Server.Report(client);
        Assert.Contains("d5 event-bytes", script.Exceeded);
    }

    [Fact]
    public void Unwatch_DropsTheEventsThatWait()
    {
        using var script = new StoreScript();
        ScriptClient client = script.Client("d0");
        script.Run("""
            d0 - WATCH /a t             = OK
            d0b - WRITE /a/1 x          = OK
            d0b - WRITE /a/2 x          = OK
            """);
        client.TakeEvents();
        script.Run("d0b - WRITE /a/3 x = OK");
        Assert.Equal(XenErrno.OK, script.Server.RemoveWatch(client, "/a", "t"));
        Assert.Empty(client.TakeEvents());
    }
}
