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
    public void Hostile_AWriterInEachTry_DoesNotKeepDom0FromCommitting()
    {
        using LocalStorePort dom0 = _server.OpenPort(DomId.Dom0), guest = OpenGuest();
        int runs = 0;
        using var written = new SemaphoreSlim(0);
        XenErrno error = dom0.Transact(view =>
        {
            runs++;
            Assert.Equal(XenErrno.OK, view.Read("/local/domain/5/x", out _));

            // Between Dom0's read and its commit, each time; at the last one it can only wait for its turn.
            Task write = Task.Run(() =>
            {
                Assert.Equal(XenErrno.OK, guest.Write("x", "again"));
                written.Release();
            });
            if (runs <= LocalStorePort.OptimisticTries)
                Assert.True(write.Wait(TimeSpan.FromSeconds(30)));
            return view.Write("/dom0", "done");
        });
        Assert.Equal(XenErrno.OK, error);
        Assert.Equal(LocalStorePort.OptimisticTries + 1, runs);
        dom0.Read("/dom0", out string value);
        Assert.Equal("done", value);
        for (int i = 0; i < runs; i++)
            Assert.True(written.Wait(TimeSpan.FromSeconds(30)), "the guest's write came through afterwards");
    }

    [Fact]
    public void Hostile_WritersWithoutEnd_DoNotStopDom0()
    {
        using LocalStorePort dom0 = _server.OpenPort(DomId.Dom0), guest = OpenGuest();
        using var stop = new CancellationTokenSource();
        Thread[] writers = [.. Enumerable.Range(0, 3).Select(n => new Thread(() =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
                guest.Write("x", $"{n} {i}");
        }))];
        Array.ForEach(writers, static writer => writer.Start());
        int most = 0;
        for (int i = 0; i < 200; i++)
        {
            int runs = 0;
            Assert.Equal(XenErrno.OK, dom0.Transact(view =>
            {
                runs++;
                for (int reads = 0; reads < 50; reads++)
                    Assert.Equal(XenErrno.OK, view.Read("/local/domain/5/x", out _));
                return view.Write("/dom0", $"{i}");
            }));
            most = Math.Max(most, runs);
        }

        stop.Cancel();
        Array.ForEach(writers, static writer => writer.Join());
        Assert.InRange(most, 1, LocalStorePort.OptimisticTries + 1);
        dom0.Read("/dom0", out string value);
        Assert.Equal("199", value);
    }

    [Fact]
    public void Transact_AtItsLastTry_ReportsQuotasWithoutTheLock_AndPassesFailuresOn()
    {
        using LocalStorePort dom0 = _server.OpenPort(DomId.Dom0), guest = OpenGuest();
        _server.SetQuotas(new DomId(5), StoreQuotas.Default with { NodeSize = 64 });
        List<string> exceeded = [];
        _server.QuotaExceeded += (_, quota) =>
        {
            // A handler that needs the store from another thread.
            Assert.True(Task.Run(() => dom0.Write("/seen", quota)).Wait(TimeSpan.FromSeconds(30)));
            exceeded.Add(quota);
        };
        int runs = 0;
        XenErrno Body(IStoreView view)
        {
            runs++;
            view.Read("x", out _);
            if (runs <= LocalStorePort.OptimisticTries)
            {
                dom0.Write("/local/domain/5/x", $"{runs}");
                return view.Write("y", "1");
            }

            return view.Write("y", new string('y', 65));
        }

        Assert.Equal(XenErrno.ENOSPC, guest.Transact(Body));
        Assert.Equal(["node-size"], exceeded);
        Assert.Equal(XenErrno.EAGAIN, guest.Transact(_ => XenErrno.EAGAIN));
        Assert.Equal(0, guest.Client.Domain.Transactions);
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

    private LocalStorePort OpenGuest()
    {
        using LocalStorePort dom0 = _server.OpenPort(DomId.Dom0);
        Assert.Equal(XenErrno.OK, dom0.MakeDirectory("/local/domain/5"));
        Assert.Equal(XenErrno.OK, dom0.SetPermissions("/local/domain/5", [new StorePermission(new DomId(5), StoreAccess.None)]));
        LocalStorePort guest = _server.OpenPort(new DomId(5));
        Assert.Equal(XenErrno.OK, guest.Write("x", "0"));
        return guest;
    }

    private static string Next(BlockingCollection<string> changes)
    {
        Assert.True(changes.TryTake(out string? path, TimeSpan.FromSeconds(30)));
        return path;
    }
}
