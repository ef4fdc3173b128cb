using System.Globalization;
using Xen.Abi;

namespace Xen.Drivers.Net.Network;

/// <summary>Which kind of network a vif gets.</summary>
public enum VifMode
{
    /// <summary>Without a bridge a user-mode network; with one the host's bridge of that name if there is one and we may use it, else a switch in this process.</summary>
    Automatic,

    /// <summary>The guest alone with the host, through passt.</summary>
    User,

    /// <summary>A switch in this process.</summary>
    Switch,

    /// <summary>A TAP device of the host, on the bridge if one is named.</summary>
    Tap,
}

/// <summary>What a configuration says of a vif.</summary>
/// <param name="Domain">Whose it is.</param>
/// <param name="Device">Its number, from 0.</param>
/// <param name="Mac">The guest's address.</param>
public sealed record VifConfig(DomId Domain, int Device, MacAddress Mac)
{
    /// <summary>The bridge's name; null or empty is none.</summary>
    public string? Bridge { get; init; }

    public VifMode Mode { get; init; }

    /// <summary>The TAP device's name; null is vifD.N.</summary>
    public string? VifName { get; init; }

    /// <summary>The longest packet; null is the default.</summary>
    public int? Mtu { get; init; }

    /// <summary>Frames may come from other addresses than the guest's.</summary>
    public bool AllowOtherSources { get; init; }

    /// <summary>TCP ports of the host's loopback that lead into the guest, of a user-mode network.</summary>
    public IReadOnlyList<PortForward> TcpForwards { get; init; } = [];
}

/// <summary>
/// Finds the network for a vif. Owned by the toolstack, one for each host: switches in this process belong to it, each there from its first
/// vif to its last, and with it, if there is a folder for that, its trunk to other processes. Any thread.
/// </summary>
public sealed class Networks
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, SharedSwitch> _switches = new(StringComparer.Ordinal);
    private readonly TimeProvider _clock;
    private readonly Func<string, bool> _isHostBridge;

    public Networks(TimeProvider? clock = null)
        : this(clock, IsUsableHostBridge)
    {
    }

    internal Networks(TimeProvider? clock, Func<string, bool> isHostBridge) =>
        (_clock, _isHostBridge) = (clock ?? TimeProvider.System, isHostBridge);

    /// <summary>
    /// Where the switches of this process meet those of the same names in other processes of the user, to be one network: a folder that nobody
    /// else can write to. Null: nowhere.
    /// </summary>
    public string? TrunkFolder { get; init; }

    /// <summary>The names of the switches that there are now.</summary>
    public IReadOnlyList<string> Switches
    {
        get
        {
            lock (_lock)
                return [.. _switches.Keys.Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>The network for one vif; to be disposed with the vif. Faults are told when the guest connects.</summary>
    public INetwork Open(VifConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        string? bridge = string.IsNullOrEmpty(config.Bridge) ? null : config.Bridge;
        return Resolve(config.Mode, bridge) switch
        {
            VifMode.User => new UserNetwork(new UserNetworkOptions(config.Mac, NameOf(config, "d{0}-{1}")) { TcpForwards = config.TcpForwards }),
            VifMode.Tap => new TapNetwork(new TapNetworkOptions(config.VifName ?? NameOf(config, "vif{0}.{1}"), config.Mac)
            {
                Bridge = bridge,
                Mtu = config.Mtu,
                AllowOtherSources = config.AllowOtherSources,
            }),
            _ => OpenSwitch(bridge ?? "", config),
        };
    }

    /// <summary>What of the host's a vif's network needs and does not find: null, or one sentence that says what to do.</summary>
    public string? WhatIsMissing(VifConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        string? bridge = string.IsNullOrEmpty(config.Bridge) ? null : config.Bridge;
        return Resolve(config.Mode, bridge) switch
        {
            VifMode.User => UserNetwork.WhatIsMissing,
            VifMode.Switch when bridge is not null && TrunkFolder is not null => SwitchTrunk.WhatIsWrong(TrunkFolder, bridge),
            _ => null,
        };
    }

    /// <summary>What joins a bridge's switch to those of other processes, if anything does.</summary>
    internal SwitchTrunk? TrunkOf(string bridge)
    {
        lock (_lock)
            return _switches.TryGetValue(bridge, out SharedSwitch? found) ? found.Trunk : null;
    }

    private VifMode Resolve(VifMode mode, string? bridge) => mode switch
    {
        VifMode.Automatic when bridge is null => VifMode.User,
        VifMode.Automatic => _isHostBridge(bridge) ? VifMode.Tap : VifMode.Switch,
        _ => mode,
    };

    private SwitchPlug OpenSwitch(string name, VifConfig config)
    {
        lock (_lock)
        {
            if (!_switches.TryGetValue(name, out SharedSwitch? shared))
                _switches.Add(name, shared = Make(name));
            shared.Vifs++;
            return new SwitchPlug(shared.Switch, new SwitchPortOptions(config.Mac, config.AllowOtherSources), () => Release(name));
        }
    }

    private SharedSwitch Make(string name)
    {
        LearningSwitch made = new(_clock);

        // Without a name it is nobody else's; of a wrong one WhatIsMissing has spoken.
        bool isJoined = TrunkFolder is not null && name.Length > 0 && SwitchTrunk.WhatIsWrong(TrunkFolder, name) is null;
        return new SharedSwitch(made, isJoined ? new SwitchTrunk(made, TrunkFolder!, name) : null);
    }

    private void Release(string name)
    {
        SwitchTrunk? last = null;
        lock (_lock)
        {
            SharedSwitch shared = _switches[name];
            if (--shared.Vifs == 0)
            {
                _switches.Remove(name);
                last = shared.Trunk;
            }
        }

        // Outside: it waits for its threads.
        last?.Dispose();
    }

    private static string NameOf(VifConfig config, string format) =>
        string.Format(CultureInfo.InvariantCulture, format, config.Domain.Value, config.Device);

    private static bool IsUsableHostBridge(string name) =>
        !name.Contains('/', StringComparison.Ordinal) && Directory.Exists($"/sys/class/net/{name}/bridge") && TapDevice.IsPermitted();

    private sealed class SharedSwitch(LearningSwitch made, SwitchTrunk? trunk)
    {
        public LearningSwitch Switch => made;

        public SwitchTrunk? Trunk => trunk;

        public int Vifs { get; set; }
    }
}
