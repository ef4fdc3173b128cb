using System.Collections.Concurrent;
using Xen.Abi;
using Xen.GuestKit.Harness;
using Xen.Rings;

namespace Xen.Drivers.Tests.Harness;

/// <summary>The world without a hypervisor keeps the promises of the ports.</summary>
public sealed class WorldTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void Map_GivesTheGrantersPageUntilUnmap()
    {
        using World world = new();
        WorldDomain dom0 = world.Domain(0), guest = world.Domain(3);
        WorldPage page = guest.Grants.AllocatePage();
        GrantRef reference = guest.Grants.Grant(page, dom0.Id);
        Assert.Equal(GrantStatus.Okay, dom0.Grants.Map(guest.Id, reference, false, out GrantMapping mapping));
        dom0.Grants.Bytes(mapping)[5] = 7;
        dom0.Grants.MarkWritten(mapping);
        Assert.Equal((7, 1), (page.Bytes[5], page.Marked));
        Assert.False(guest.Grants.EndAccess(reference));
        Assert.Equal(["d0 has mapped gref 8 of d3"], dom0.Held());
        dom0.Grants.Unmap(mapping);
        Assert.Throws<InvalidOperationException>(() => dom0.Grants.Bytes(mapping)[0]);
        Assert.True(guest.Grants.EndAccess(reference));
        Assert.Empty(world.Held());
    }

    [Fact]
    public void MapAndCopy_WhatWasNotGrantedSo_AreRefused()
    {
        using World world = new();
        WorldDomain dom0 = world.Domain(0), guest = world.Domain(3), other = world.Domain(4);
        GrantRef readable = guest.Grants.Grant(guest.Grants.AllocatePage(), dom0.Id, readOnly: true);
        Assert.Equal(GrantStatus.GeneralError, dom0.Grants.Map(guest.Id, readable, false, out GrantMapping mapping));
        Assert.False(mapping.IsMapped);
        Assert.Equal(GrantStatus.GeneralError, other.Grants.Map(guest.Id, readable, true, out _));
        Assert.Equal(GrantStatus.BadGntref, dom0.Grants.Map(guest.Id, new GrantRef(99), true, out _));
        Assert.Equal(GrantStatus.BadDomain, dom0.Grants.Map(new DomId(9), readable, true, out _));
        Assert.Equal(GrantStatus.Okay, dom0.Grants.CopyFrom(guest.Id, readable, 4000, new byte[96]));
        Assert.Equal(GrantStatus.BadCopyArg, dom0.Grants.CopyFrom(guest.Id, readable, 4001, new byte[96]));
        Assert.Equal(GrantStatus.GeneralError, dom0.Grants.CopyTo(guest.Id, readable, 0, new byte[1]));
        guest.Grants.Revoke(readable);
        Assert.Equal(GrantStatus.BadGntref, dom0.Grants.CopyFrom(guest.Id, readable, 0, new byte[1]));
        dom0.Grants.FailMap = (_, _) => GrantStatus.NoSpace;
        Assert.Equal(GrantStatus.NoSpace, dom0.Grants.Map(guest.Id, readable, true, out _));
    }

    [Fact]
    public void TryMap_OneOfManyFails_HoldsNothingAndSaysWhich()
    {
        using World world = new();
        WorldDomain dom0 = world.Domain(0), guest = world.Domain(3);
        GrantRef[] references = [.. Enumerable.Range(0, 4).Select(_ => guest.Grants.Grant(guest.Grants.AllocatePage(), dom0.Id))];
        guest.Grants.Revoke(references[2]);
        Assert.Equal(GrantStatus.BadGntref, GrantedPages.TryMap(dom0.Grants, guest.Id, references, false, out GrantedPages? pages, out int failed));
        Assert.Equal((2, 0), (failed, dom0.Grants.Mapped));
        Assert.Null(pages);
        Assert.Equal(GrantStatus.Okay, GrantedPages.TryMap(dom0.Grants, guest.Id, references.AsSpan(0, 2), false, out pages, out failed));
        Assert.Equal((2, -1, 2), (pages!.Count, failed, dom0.Grants.Mapped));
        pages.Dispose();
        pages.Dispose();
        Assert.Equal(0, dom0.Grants.Mapped);
        Assert.Throws<ObjectDisposedException>(() => pages.Bytes(0)[0]);
    }

    [Fact]
    public void Notify_EveryOneIsFollowedByACall()
    {
        using World world = new();
        WorldDomain dom0 = world.Domain(0), guest = world.Domain(3);
        using WorldEventPort front = guest.Events.AllocateUnbound(dom0.Id);
        Assert.Equal(XenErrno.OK, dom0.Events.BindInterdomain(guest.Id, front.Port, out IEventPort? back));
        int published = 0, seen = 0;
        using AutoResetEvent progress = new(false);
        back!.SetHandler(() =>
        {
            seen = Volatile.Read(ref published);
            progress.Set();
        });
        for (int i = 1; i <= 20_000; i++)
        {
            Volatile.Write(ref published, i);
            front.Notify();
            while (i % 16 == 0 && Volatile.Read(ref seen) != i)
                Assert.True(progress.WaitOne(Patience), $"no call after notification {i}");
        }

        back.Dispose();
        Assert.Equal(XenErrno.OK, dom0.Events.BindInterdomain(guest.Id, front.Port, out back));
        Assert.Equal(XenErrno.EINVAL, dom0.Events.BindInterdomain(guest.Id, front.Port, out _));
        Assert.Equal(XenErrno.ESRCH, dom0.Events.BindInterdomain(new DomId(7), front.Port, out _));
        back!.Dispose();
        Assert.Empty(dom0.Held());
    }

    [Fact]
    public void Watch_FiresAtOnceAndAfterEachChangeAndNotAfterItsEnd()
    {
        using World world = new();
        WorldDomain guest = world.Domain(3);
        using BlockingCollection<string> fired = [];
        Assert.Equal(XenErrno.OK, guest.Store.Watch("device/vbd", fired.Add, out IDisposable? watch));
        Assert.Equal("device/vbd", Next(fired));
        world.Store.Write("/local/domain/3/device/vbd/0/state", "1");
        Assert.Equal("device/vbd/0/state", Next(fired));
        world.Store.Write("/local/domain/3/device/vbdx", "1");
        world.Store.Remove("/local/domain/3/device");
        Assert.Equal("device/vbd", Next(fired));
        Assert.Equal(["d3 watches /local/domain/3/device/vbd"], guest.Held());
        watch!.Dispose();
        world.Store.Write("/local/domain/3/device/vbd", "");
        Assert.Empty(guest.Held());
        Assert.Empty(fired);
    }

    [Fact]
    public void Transact_AConflict_RunsTheBodyAgain()
    {
        using World world = new();
        WorldStoreConnection store = world.Domain(0).Store;
        int runs = 0;
        Assert.Equal(XenErrno.OK, store.Transact(view =>
        {
            view.Read("/count", out string value);
            if (runs++ == 0)
                store.Write("/count", "5");
            return view.Write("/count", value + "+");
        }));
        Assert.Equal((2, "5+"), (runs, world.Store.Read("/count")));
        Assert.Equal(XenErrno.EIO, store.Transact(view => view.Write("/count", "x") == XenErrno.OK ? XenErrno.EIO : XenErrno.OK));
        Assert.Equal("5+", world.Store.Read("/count"));
    }

    [Theory]
    [InlineData("/a//b")]
    [InlineData("/a/")]
    [InlineData("/a b")]
    [InlineData("")]
    public void Store_BadPaths_AreEinval(string path)
    {
        using World world = new();
        Assert.Equal(XenErrno.EINVAL, world.Domain(0).Store.Write(path, "x"));
    }

    [Fact]
    public void Die_ClosesWhatTheDomainHadAndTellsTheOthers()
    {
        using World world = new();
        WorldDomain dom0 = world.Domain(0), guest = world.Domain(3);
        using BlockingCollection<string> fired = [];
        dom0.Store.Watch("@releaseDomain", fired.Add, out IDisposable? watch);
        Next(fired);
        GrantRef reference = guest.Grants.Grant(guest.Grants.AllocatePage(), dom0.Id);
        dom0.Grants.Map(guest.Id, reference, false, out GrantMapping mapping);
        guest.Die();
        Assert.Equal("@releaseDomain", Next(fired));
        Assert.Null(world.Store.Read("/local/domain/3/domid"));
        Assert.Equal(GrantStatus.BadDomain, dom0.Grants.Map(guest.Id, reference, false, out _));
        dom0.Grants.Bytes(mapping)[0] = 1;
        dom0.Grants.Unmap(mapping);
        watch!.Dispose();
        Assert.Empty(world.Held());
        Assert.NotSame(guest, world.Domain(3));
    }

    private static string Next(BlockingCollection<string> fired)
    {
        Assert.True(fired.TryTake(out string? path, Patience), "no watch fired");
        return path;
    }
}
