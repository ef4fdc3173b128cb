using System.Diagnostics.Metrics;
using System.Globalization;
using Xen.Abi;

namespace Xen.Drivers.Net.Backend;

/// <summary>The counters of a device as instruments of the meter "Xen.Drivers.Net", named xen.netback.*; tags domain, device and queue.</summary>
internal sealed class NetMetrics : IDisposable
{
    public const string MeterName = "Xen.Drivers.Net";

    private readonly Meter _meter = new(MeterName);
    private readonly (NetCounters Counters, KeyValuePair<string, object?>[] Tags)[] _queues;

    public NetMetrics(DomId domain, int device, NetCounters[] queues)
    {
        _queues = [.. queues.Select((counters, i) => (counters, TagsOf(domain, device, i)))];
        Add("xen.netback.tx.packets", "{packet}", "Frames that the guest sent.", static c => c.TxPackets);
        Add("xen.netback.tx.bytes", "By", "Bytes that the guest sent.", static c => c.TxBytes);
        Add("xen.netback.tx.bad", "{request}", "Requests that broke the protocol.", static c => c.TxBad);
        Add("xen.netback.tx.errors", "{packet}", "Frames whose pages could not be read.", static c => c.TxErrors);
        Add("xen.netback.rx.packets", "{packet}", "Frames that the guest received.", static c => c.RxPackets);
        Add("xen.netback.rx.bytes", "By", "Bytes that the guest received.", static c => c.RxBytes);
        Add("xen.netback.rx.dropped", "{packet}", "Frames that the guest had no room for.", static c => c.RxDropped);
        Add("xen.netback.rx.errors", "{packet}", "Frames that could not be written to the guest's pages.", static c => c.RxErrors);
    }

    public void Dispose() => _meter.Dispose();

    private void Add(string name, string unit, string description, Func<NetCounters, long> value) =>
        _meter.CreateObservableCounter(name, () => _queues.Select(q => new Measurement<long>(value(q.Counters), q.Tags)), unit, description);

    private static KeyValuePair<string, object?>[] TagsOf(DomId domain, int device, int queue) =>
    [
        new("domain", domain.Value.ToString(CultureInfo.InvariantCulture)),
        new("device", device.ToString(CultureInfo.InvariantCulture)),
        new("queue", queue.ToString(CultureInfo.InvariantCulture)),
    ];
}
