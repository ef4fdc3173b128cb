using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Net.Backend;

/// <summary>
/// Which groups a guest listens to. Frames to other groups are not given to it once it has asked for that (request-multicast-control).
/// Any thread; reading takes no lock. <b>Source</b>: io/netif.h, feature-multicast-control.
/// </summary>
internal sealed class MulticastFilter
{
    /// <summary>As many groups as Linux's backend takes.</summary>
    public const int MostGroups = 64;

    private readonly Lock _lock = new();
    private volatile ulong[] _groups = [];
    private volatile bool _isOn;

    /// <summary>The guest has asked for it. The list may change before.</summary>
    public bool IsOn
    {
        get => _isOn;
        set => _isOn = value;
    }

    /// <summary>Adds a group, or takes it out.</summary>
    /// <returns>False if it is none, or one too many.</returns>
    public bool Change(bool add, MacAddress group)
    {
        if (!group.IsMulticast || group.IsBroadcast)
            return false;
        lock (_lock)
        {
            ulong[] old = _groups;
            if (!add)
                _groups = [.. old.Where(g => g != group.Value)];
            else if (Array.IndexOf(old, group.Value) >= 0)
                return true;
            else if (old.Length >= MostGroups)
                return false;
            else
                _groups = [.. old, group.Value];
            return true;
        }
    }

    /// <summary>True if the guest shall get frames to this address.</summary>
    public bool Lets(MacAddress destination) =>
        !_isOn || !destination.IsMulticast || destination.IsBroadcast || Array.IndexOf(_groups, destination.Value) >= 0;
}
