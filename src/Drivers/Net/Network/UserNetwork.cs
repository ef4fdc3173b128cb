using System.Globalization;

namespace Xen.Drivers.Net.Network;

/// <summary>A port of the host's that leads into the guest.</summary>
/// <param name="HostPort">On the host's loopback.</param>
/// <param name="GuestPort">In the guest.</param>
public readonly record struct PortForward(ushort HostPort, ushort GuestPort);

/// <summary>Options of a user-mode network.</summary>
/// <param name="Mac">The guest's address.</param>
/// <param name="Name">Names the thread that receives: the vif, such as d3-0.</param>
public sealed record UserNetworkOptions(MacAddress Mac, string Name)
{
    /// <summary>TCP ports that lead into the guest.</summary>
    public IReadOnlyList<PortForward> TcpForwards { get; init; } = [];

    /// <summary>The program; null looks for it where programs are.</summary>
    public string? Program { get; init; }
}

/// <summary>
/// A network of the guest alone with the host, without root: passt, a program of Debian's package of that name, stands between the guest's frames
/// and sockets of the host's. It gives the guest 10.0.2.15 by DHCP, and the guest reaches what the host reaches; the host's own loopback it
/// reaches as 10.0.2.2, its gateway. The child ends with the port, and with this process however that ends. If it ends before, it is started again:
/// the guest loses its connections, as when a router restarts, and keeps its address.
/// </summary>
/// <remarks>
/// The child has one end of a pair of sockets. A frame has its length before it, 4 bytes, most significant first.
/// <b>Source</b>: passt(1); the framing is that of QEMU's stream sockets.
/// </remarks>
public sealed class UserNetwork(UserNetworkOptions options) : INetwork
{
    /// <summary>The guest's address.</summary>
    public const string GuestAddress = "10.0.2.15";

    /// <summary>Where the guest reaches the host's loopback; also its gateway.</summary>
    public const string HostAddress = "10.0.2.2";

    public const string ProgramName = "passt";

    private const string NotThere = "the program passt is not there; it gives guests a network without root: apt-get install passt";

    // TCP's segments are as long as this allows: for the guest a few large packets cost less than many small ones.
    private const int LargeMtu = 65520;
    private const int SmallMtu = 1500;

    /// <summary>Null, or one sentence about the program that this needs and this host does not have.</summary>
    public static string? WhatIsMissing => ChildProcess.Find(ProgramName) is null ? NotThere : null;

    /// <inheritdoc/>
    public string? Connect(INetStation station, out INetPort? port)
    {
        ArgumentNullException.ThrowIfNull(station);
        port = null;
        string? program = options.Program ?? ChildProcess.Find(ProgramName);
        if (program is null || !File.Exists(program))
            return NotThere;

        // Without a route to anywhere it wants to be told which interface to take its addresses from.
        string? error = Connect(program, station, [], out port);
        return error is null || Connect(program, station, ["--interface", "lo", "--ipv4-only"], out port) is not null ? error : null;
    }

    /// <summary>Nothing is held but by the port.</summary>
    public void Dispose()
    {
    }

    private string? Connect(string program, INetStation station, string[] more, out INetPort? port)
    {
        string[] command = [program, .. Arguments(station), .. more];
        PasstPort made = new(command, station, options);
        string? error = made.Open();
        port = error is null ? made : null;
        if (error is not null)
            made.Dispose();
        return error;
    }

    private IEnumerable<string> Arguments(INetStation station)
    {
        int mtu = station.MaxFrame >= LargeMtu + PacketHeaders.EthernetSize ? LargeMtu : SmallMtu;
        yield return "--foreground";
        yield return "--quiet";
        yield return "--fd";
        yield return ChildProcess.SocketDescriptor.ToString(CultureInfo.InvariantCulture);
        yield return "--address";
        yield return GuestAddress;
        yield return "--netmask";
        yield return "255.255.255.0";
        yield return "--gateway";
        yield return HostAddress;
        yield return "--mtu";
        yield return mtu.ToString(CultureInfo.InvariantCulture);
        foreach (PortForward forward in options.TcpForwards)
        {
            yield return "--tcp-ports";
            yield return string.Create(CultureInfo.InvariantCulture, $"127.0.0.1/{forward.HostPort}:{forward.GuestPort}");
        }
    }
}
