using System.Globalization;
using System.Text.RegularExpressions;

namespace Xen.Toolstack;

/// <summary>Reads an entry of <c>vif=</c>: <c>key=value</c> parts, separated by commas. <b>Source</b>: xl-network-configuration(5).</summary>
internal static partial class VifSyntax
{
    private const string Keys = "mac, bridge, rate, vifname, devid and mtu";

    /// <summary>Keys of Xen's that change nothing here.</summary>
    private static readonly string[] Ignored = ["script", "ip", "type", "model", "accel", "trusted", "untrusted"];

    /// <returns>Null, or what is wrong: the end of a sentence.</returns>
    public static string? Parse(string text, out VifConfig? vif)
    {
        vif = null;
        var made = new VifConfig();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? part : part[..equals].Trim();
            if (equals < 0 && !Ignored.Contains(key))
                return $"'{part}' is not key=value";
            string? fault = Read(key, equals < 0 ? "" : part[(equals + 1)..].Trim(), ref made);
            if (fault is not null)
                return fault;
        }

        vif = made;
        return null;
    }

    private static string? Read(string key, string value, ref VifConfig vif)
    {
        switch (key)
        {
            case "mac":
                vif = vif with { Mac = value.ToLowerInvariant() };
                return MacPattern().IsMatch(value) && (Convert.ToInt32(value[1].ToString(), 16) & 1) == 0
                    ? null
                    : $"mac must be the address of one interface, like 00:16:3e:01:02:03, and is '{value}'";
            case "bridge":
                vif = vif with { Bridge = value };
                return NamePattern().IsMatch(value) ? null : $"bridge must be 1 to 15 letters, digits or _ - ., and is '{value}'";
            case "vifname":
                vif = vif with { Name = value };
                return NamePattern().IsMatch(value) ? null : $"vifname must be 1 to 15 letters, digits or _ - ., and is '{value}'";
            case "rate":
                vif = vif with { Rate = value };
                return null;
            case "devid":
                vif = vif with { DeviceId = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : -1 };
                return vif.DeviceId is >= 0 and < 1024 ? null : $"devid must be a number from 0 to 1023, and is '{value}'";
            case "mtu":
                vif = vif with { Mtu = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int mtu) ? mtu : 0 };
                return vif.Mtu is >= 68 and <= 65535 ? null : $"mtu must be a number from 68 to 65535, and is '{value}'";
            case "backend":
                return value is "0" or "Domain-0" ? null : "a backend in another domain is not supported; leave backend= out";
            default:
                return Ignored.Contains(key) ? null : $"'{key}' is no key of a network interface: those are {Keys}";
        }
    }

    [GeneratedRegex("^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$")]
    private static partial Regex MacPattern();

    [GeneratedRegex("^[A-Za-z0-9_.-]{1,15}$")]
    private static partial Regex NamePattern();
}
