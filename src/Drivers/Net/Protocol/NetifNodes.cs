using System.Globalization;

namespace Xen.Drivers.Net.Protocol;

/// <summary>Names of the nodes of a network device. <b>Source</b>: io/netif.h; those that it lacks as Linux has them.</summary>
public static class NetifNodes
{
    // The backend's.
    public const string FeatureSg = "feature-sg";
    public const string FeatureGsoTcpv4 = "feature-gso-tcpv4";
    public const string FeatureGsoTcpv6 = "feature-gso-tcpv6";
    public const string FeatureIpv6CsumOffload = "feature-ipv6-csum-offload";
    public const string FeatureRxCopy = "feature-rx-copy";
    public const string FeatureRxFlip = "feature-rx-flip";
    public const string FeatureSplitEventChannels = "feature-split-event-channels";
    public const string FeatureMulticastControl = "feature-multicast-control";
    public const string FeatureDynamicMulticastControl = "feature-dynamic-multicast-control";
    public const string FeatureCtrlRing = "feature-ctrl-ring";
    public const string FeatureXdpHeadroom = "feature-xdp-headroom";
    public const string MultiQueueMaxQueues = "multi-queue-max-queues";
    public const string Carrier = "carrier";
    public const string Handle = "handle";
    public const string Rate = "rate";
    public const string HotplugStatus = "hotplug-status";

    // Both sides'.
    public const string Mac = "mac";

    // The frontend's, next to the feature-* above.
    public const string FeatureNoCsumOffload = "feature-no-csum-offload";
    public const string FeatureRxNotify = "feature-rx-notify";
    public const string RequestRxCopy = "request-rx-copy";
    public const string RequestMulticastControl = "request-multicast-control";
    public const string MultiQueueNumQueues = "multi-queue-num-queues";
    public const string TxRingRef = "tx-ring-ref";
    public const string RxRingRef = "rx-ring-ref";
    public const string EventChannel = "event-channel";
    public const string EventChannelTx = "event-channel-tx";
    public const string EventChannelRx = "event-channel-rx";
    public const string CtrlRingRef = "ctrl-ring-ref";
    public const string EventChannelCtrl = "event-channel-ctrl";
    public const string XdpHeadroom = "xdp-headroom";
    public const string Mtu = "mtu";

    /// <summary>The folder of a queue, of devices with several.</summary>
    public static string Queue(int index) => string.Create(CultureInfo.InvariantCulture, $"queue-{index}");
}
