namespace Xen.Toolstack;

/// <summary>One entry of <c>vif=</c>, checked. <b>Source</b>: xl-network-configuration(5).</summary>
public sealed record VifConfig
{
    /// <summary>The interface's number, or null for the next that is free.</summary>
    public int? DeviceId { get; init; }

    /// <summary>The guest's MAC address, like 00:16:3e:01:02:03, or null for one that is made up.</summary>
    public string? Mac { get; init; }

    /// <summary>The switch or host bridge it is on; null: the host's networks, through user-mode networking.</summary>
    public string? Bridge { get; init; }

    /// <summary>The host's name of it, or null for vifD.N.</summary>
    public string? Name { get; init; }

    /// <summary>Most that it may send, such as 10Mb/s or 1MB/s@20ms, or null for no limit.</summary>
    public string? Rate { get; init; }

    /// <summary>Largest packet. <b>Units</b>: bytes.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>How it is written in a configuration.</summary>
    public override string ToString() => string.Join(',', new[]
    {
        Part("devid", DeviceId?.ToString(System.Globalization.CultureInfo.InvariantCulture)), Part("mac", Mac), Part("bridge", Bridge), Part("vifname", Name),
        Part("rate", Rate), Mtu == 1500 ? null : Part("mtu", Mtu.ToString(System.Globalization.CultureInfo.InvariantCulture)),
    }.Where(part => part is not null));

    private static string? Part(string key, string? value) => value is null ? null : $"{key}={value}";
}
