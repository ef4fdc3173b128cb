using System.Collections.Concurrent;
using Xen.Abi;
using Xen.Rings;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>The store for services of this process.</summary>
public sealed class LocalStorePortTests : IDisposable
{
    private readonly StoreServer _server = new();

    public void Dispose() => _server.Dispose();

    [Fact]
    public void Port_DoesWhatItsDomainMay()
    {
        using LocalStorePort dom0 = _server.OpenPort(DomId.Dom0);
        using LocalStorePort guest = _server.OpenPort(new DomId(5));
        Assert.Equal(XenErrno.OK, dom0.MakeDirectory("/local/domain/5"));
        Assert.Equal(XenErrno.EACCES, guest.Write("x", "1"));
        Assert.Equal(XenErrno.OK, dom0.SetPermissions("/local/domain/5", [new StorePermission(new DomId(5), StoreAccess.None)]));
        Assert.Equal(XenErrno.OK, guest.Write("x", "\u00e91"));
        Assert.Equal(XenErrno.OK, dom0.Read("/local/domain/5/x", out string value));
        Assert.Equal("\u00e91", value);
        Assert.Equal(XenErrno.OK, guest.List("/local/domain/5", out IReadOnlyList<string> names));
        Assert.Equal(["x"], names);
        Assert.Equal(XenErrno.OK, guest.GetPermissions("x", out IReadOnlyList<StorePermission> permissions));
        Assert.Equal([new StorePermission(new DomId(5), StoreAccess.None)], permissions);
        Assert.Equal(XenErrno.OK, guest.Remove("x"));
        Assert.Equal(XenErrno.ENOENT, guest.Read("x", out value));
        Assert.Equal("", value);
        Assert.Equal(XenErrno.EINVAL, guest.Write("a//b", "1"));
        Assert.Equal(XenErrno.E2BIG, dom0.Write("/a", new string('x', 4097)));
        _server.ReleaseDomain(new DomId(5));
        Assert.Equal(XenErrno.EIO, guest.Write("x", "1"));
    }

    [Fact]
    public async Task Transact_RunsAgainUntilNobodyWasInTheWay()
    {
        using LocalStorePort port = _server.OpenPort(DomId.Dom0);
        port.Write("/n", "0");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                Assert.Equal(XenErrno.OK, port.Transact(view =>
                {
                    Assert.Equal(XenErrno.OK, view.Read("/n", out string value));
                    return view.Write("/n", $"{int.Parse(value) + 1}");
                }));
            }
        })));
        port.Read("/n", out string all);
        Assert.Equal("400", all);
        Assert.Equal(XenErrno.EBUSY, port.Transact(view =>
        {
            view.Write("/n", "lost");
            return XenErrno.EBUSY;
        }));
        Assert.Throws<InvalidOperationException>(() => port.Transact(_ => throw new InvalidOperationException()));
        port.Read("/n", out all);
        Assert.Equal("400", all);
        Assert.Equal(0, port.Client.Domain.Transactions);
    }

    [Fact]
    public void Watch_CallsItsHandlerUntilItIsDisposed()
    {
        using LocalStorePort port = _server.OpenPort(DomId.Dom0);
        using var changes = new BlockingCollection<string>();
        Assert.Equal(XenErrno.OK, port.Watch("/a", changes.Add, out IDisposable? watch));
        Assert.Equal(XenErrno.OK, port.Watch("/b", changes.Add, out IDisposable? other));
        Assert.Equal("/a", Next(changes));
        Assert.Equal("/b", Next(changes));
        port.Write("/a/x", "1");
        Assert.Equal("/a/x", Next(changes));
        watch!.Dispose();
        port.Write("/a/y", "1");
        port.Write("/b/y", "1");
        Assert.Equal("/b/y", Next(changes));
        other!.Dispose();
        Assert.Equal(XenErrno.EINVAL, port.Watch("/a/", changes.Add, out watch));
        Assert.Null(watch);
    }

    [Fact]
    public void Watch_HandlerMayUseThePort()
    {
        using LocalStorePort port = _server.OpenPort(DomId.Dom0);
        using var done = new ManualResetEventSlim();
        port.Watch("/request", _ =>
        {
            if (port.Read("/request", out string value) == XenErrno.OK)
                port.Write("/answer", value);
        }, out IDisposable? serving);
        port.Watch("/answer", _ =>
        {
            if (port.Read("/answer", out string value) == XenErrno.OK && value == "x")
                done.Set();
        }, out IDisposable? waiting);
        port.Write("/request", "x");
        Assert.True(done.Wait(TimeSpan.FromSeconds(30)));
        serving!.Dispose();
        waiting!.Dispose();
    }

    [Fact]
    public void SpecialWatches_ReachServices()
    {
        using LocalStorePort port = _server.OpenPort(DomId.Dom0);
        using var changes = new BlockingCollection<string>();
        port.Watch("@releaseDomain", changes.Add, out _);
        Assert.Equal("@releaseDomain", Next(changes));
        _server.IntroduceDomain(new DomId(5), new StorePage(), new StoreEvents());
        _server.ReleaseDomain(new DomId(5));
        Assert.Equal("@releaseDomain", Next(changes));
    }

    private static string Next(BlockingCollection<string> changes)
    {
        Assert.True(changes.TryTake(out string? path, TimeSpan.FromSeconds(30)));
        return path;
    }
}
