using System.Diagnostics;
using System.Diagnostics.Metrics;
using Xen.Abi;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Frontend;
using Xen.Drivers.Block.Protocol;
using Xen.GuestKit.Harness;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Block;

/// <summary>Disks under the handshake of both ends, as a toolstack and a guest run them.</summary>
public sealed class BlockHandshakeTests : IDisposable
{
    private const int DeviceId = 51728;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly World _world = new();
    private readonly WorldDomain _dom0;
    private readonly WorldDomain _guest;
    private readonly string _back;
    private readonly string _front;
    private readonly object _changed = new();
    private readonly FakeStorage _storage = new();
    private readonly BlockBackend _backend;
    private readonly BlockFrontend _disk = new(new BlockFrontendOptions { Queues = 2, RingPageOrder = 1 });
    private readonly XenbusBackendDevice _backDevice;
    private readonly XenbusFrontendDevice _frontDevice;

    public BlockHandshakeTests()
    {
        (_dom0, _guest) = (_world.Domain(0), _world.Domain(9));
        (_back, _front) = _world.Link(_dom0, _guest, "vbd", DeviceId);
        _world.Store.Write(_back + "/mode", "w");
        _backend = new BlockBackend(_storage, new BlockBackendOptions { SizeCheck = TimeSpan.FromMilliseconds(20) });
        _backDevice = new XenbusBackendDevice(
            _backend,
            new XenbusBackendContext(_dom0.Store, _dom0.Grants, _dom0.Events, _back, _front, _guest.Id, DeviceId, _ => { }),
            _ => Announce());
        _frontDevice = new XenbusFrontendDevice(
            _disk,
            new XenbusFrontendContext(_guest.Store, _guest.Grants, _guest.Events, _front, _back, _dom0.Id, DeviceId, _ => { }),
            changed: _ => Announce());
        _disk.Changed += _ => Announce();
        Assert.Null(_backDevice.Start());
    }

    public void Dispose()
    {
        _frontDevice.Dispose();
        _backDevice.Dispose();
        Assert.True(_storage.IsDisposed);
        Assert.Empty(_world.Held());
        _world.Dispose();
    }

    [Fact]
    public async Task Disk_IsClosedAndOpenedByItsFrontend()
    {
        Assert.Null(_frontDevice.Start());
        for (int i = 0; i < 5; i++)
        {
            await UseConnected(i);
            _frontDevice.RequestClose();
            Await(() => _frontDevice.Status.Own == XenbusState.Closed && _backDevice.Status.Own == XenbusState.Closed);
            Assert.Equal((0, 0), (_dom0.Grants.Mapped, _guest.Grants.Pages));
            Assert.Equal(BlkifStatus.Error, await _disk.ReadAsync(0, new byte[512]).WaitAsync(Patience));
            _frontDevice.Open();
        }

        await UseConnected(9);
    }

    [Fact]
    public async Task Disk_IsDetachedByTheToolstack()
    {
        Assert.Null(_frontDevice.Start());
        await UseConnected(1);
        _world.Store.Write(_back + "/online", "0");
        _world.Store.Write(_back + "/state", "5");
        Await(() => _backDevice.Status.IsFinished);
        Await(() => _frontDevice.Status.Own == XenbusState.Closed);
        Assert.Equal((0, 0), (_dom0.Grants.Mapped, _dom0.Events.Open));
    }

    [Fact]
    public async Task Resize_ReachesTheFrontend()
    {
        Assert.Null(_frontDevice.Start());
        await UseConnected(1);
        _storage.NextSize = 1 << 19;
        Await(() => _disk.Properties.Sectors == 1 << 10);
        Assert.Equal(XenbusState.Connected, _frontDevice.Status.Own);
        Assert.Equal(XenbusState.Connected, _backDevice.Status.Own);
        await UseConnected(2);
    }

    [Fact]
    public async Task Hostile_GuestDiesWhileConnected_TheBackendLetsGo()
    {
        Assert.Null(_frontDevice.Start());
        await UseConnected(1);
        _guest.Die();
        Await(() => _backDevice.Status.Own == XenbusState.Closed);
        Assert.Equal((0, 0), (_dom0.Grants.Mapped, _dom0.Events.Open));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("3")]
    [InlineData("4")]
    [InlineData("5")]
    [InlineData("6")]
    public void Hostile_FrontendThatDiesInAState_LeavesNothing(string state)
    {
        Assert.True(_world.Store.WaitFor(_back + "/state", "2", Patience));
        if (state is "3" or "4")
            PublishRaw();
        _world.Store.Write(_front + "/state", state);
        _guest.Die();
        Await(() => _backDevice.Status.Own is XenbusState.Closed || _backDevice.Status.Peer is null);
        _backDevice.Dispose();
        Assert.Empty(_dom0.Held());
    }

    [Fact]
    public void Hostile_BrokenRing_ClosesTheDeviceWithAReason()
    {
        Assert.True(_world.Store.WaitFor(_back + "/state", "2", Patience));
        (WorldPage page, WorldEventPort port) = PublishRaw();
        _world.Store.Write(_front + "/state", "3");
        Assert.True(_world.Store.WaitFor(_back + "/state", "4", Patience));
        page[RingLayout.ReqProd] = 1000;
        port.Notify();
        Await(() => _backDevice.Status.Text.StartsWith("failed: ", StringComparison.Ordinal));
        Assert.Contains("req_prod is 1000", _world.Store.Read(_back + "/error"), StringComparison.Ordinal);
        Assert.Equal((0, 0), (_dom0.Grants.Mapped, _dom0.Events.Open));
        _guest.Die();
    }

    [Fact]
    public async Task Meters_CarryNamesAndTags()
    {
        List<string> seen = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == "xen.blkback")
                    l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string text = string.Join(",", tags.ToArray().Select(t => $"{t.Key}={t.Value}"));
            if (text.Contains("domain=9,device=51728", StringComparison.Ordinal) && value > 0)
                seen.Add($"{instrument.Name} {text}");
        });
        listener.Start();
        Assert.Null(_frontDevice.Start());
        await UseConnected(1);
        listener.RecordObservableInstruments();
        Assert.Contains("xen.blkback.requests domain=9,device=51728,operation=write", seen);
        Assert.Contains("xen.blkback.sectors domain=9,device=51728,operation=read", seen);
    }

    private (WorldPage Page, WorldEventPort Port) PublishRaw()
    {
        WorldPage page = _guest.Grants.AllocatePage();
        FrontRing<BlkifRequest, BlkifResponse>.Initialise(new SharedPages(page));
        WorldEventPort port = _guest.Events.AllocateUnbound(_dom0.Id);
        _world.Store.Write(_front + "/ring-ref", _guest.Grants.Grant(page, _dom0.Id).Value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        _world.Store.Write(_front + "/event-channel", port.Port.Value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return (page, port);
    }

    private async Task UseConnected(int seed)
    {
        Await(() => _frontDevice.Status.Text == "connected" && _backDevice.Status.Text == "connected");
        byte[] written = new byte[40_960], read = new byte[40_960];
        new Random(seed).NextBytes(written);
        Assert.Equal(BlkifStatus.Okay, await _disk.WriteAsync(seed, written).WaitAsync(Patience));
        Assert.Equal(BlkifStatus.Okay, await _disk.ReadAsync(seed, read).WaitAsync(Patience));
        Assert.Equal(written, read);
    }

    private void Announce()
    {
        lock (_changed)
            Monitor.PulseAll(_changed);
    }

    private void Await(Func<bool> condition)
    {
        long start = Stopwatch.GetTimestamp();
        lock (_changed)
        {
            while (!condition())
            {
                TimeSpan left = Patience - Stopwatch.GetElapsedTime(start);
                Assert.True(left > TimeSpan.Zero && Monitor.Wait(_changed, left), $"front: {_frontDevice.Status}; back: {_backDevice.Status}");
            }
        }
    }
}
