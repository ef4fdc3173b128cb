using Xen.Abi;

namespace Xen.XenStore;

/// <summary>What the store offers to guests beyond the headers of Xen 4.17. <b>Source</b>: docs/misc/xenstore-ring.txt, docs/misc/xenstore.txt of Xen's later versions.</summary>
internal static class StoreFeatures
{
    /// <summary>WATCH takes a depth (XENSTORE_SERVER_FEATURE_WATCHDEPTH).</summary>
    public const uint WatchDepth = 4;

    /// <summary>All bits that the ring page may show.</summary>
    public const uint All = (uint)(XenStoreServerFeatures.Reconnection | XenStoreServerFeatures.Error) | WatchDepth;

    /// <summary>Kinds of message that the headers of 4.17 do not list.</summary>
    public const XenStoreMessageType GetFeature = (XenStoreMessageType)23;

    /// <inheritdoc cref="GetFeature"/>
    public const XenStoreMessageType SetFeature = (XenStoreMessageType)24;

    /// <inheritdoc cref="GetFeature"/>
    public const XenStoreMessageType GetQuota = (XenStoreMessageType)25;

    /// <inheritdoc cref="GetFeature"/>
    public const XenStoreMessageType SetQuota = (XenStoreMessageType)26;
}
