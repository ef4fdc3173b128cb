namespace Xen.Drivers.Net.Network;

/// <summary>What a port of a switch lets through.</summary>
/// <param name="Mac">The station's address; all zero is none: there are only others behind the port.</param>
/// <param name="AllowOtherSources">Frames may come from other addresses too: the guest is itself a bridge. Else they are dropped as spoofed.</param>
public readonly record struct SwitchPortOptions(MacAddress Mac, bool AllowOtherSources = false);

/// <summary>
/// An Ethernet switch in this process: it learns at which port an address is, and floods what it does not know. Nothing reaches a station
/// that is not plugged into the same switch.
/// </summary>
/// <remarks>Any thread. A frame is delivered by the sender's thread, with no lock held.</remarks>
public sealed class LearningSwitch
{
    private readonly Lock _lock = new();
    private readonly MacTable _table;
    private volatile Port[] _ports = [];

    /// <param name="clock">For the age of what was learnt.</param>
    /// <param name="mostAddresses">How many addresses are remembered.</param>
    public LearningSwitch(TimeProvider? clock = null, int mostAddresses = MacTable.DefaultCapacity) =>
        _table = new MacTable(clock ?? TimeProvider.System, mostAddresses);

    /// <summary>How many stations are plugged in.</summary>
    public int PortCount => _ports.Length;

    /// <summary>Frames dropped because their source was not their port's address, or that of another port.</summary>
    public long Spoofed => Interlocked.Read(ref _spoofed);

    private long _spoofed;

    /// <summary>Plugs a station in.</summary>
    public INetPort Connect(INetStation station, SwitchPortOptions options)
    {
        Port port = new(this, station, options);
        lock (_lock)
            _ports = [.. _ports, port];
        return port;
    }

    private void Disconnect(Port port)
    {
        lock (_lock)
        {
            _ports = [.. _ports.Where(p => p != port)];
            _table.Forget(port);
        }
    }

    private void Send(Port from, Frame frame)
    {
        MacAddress source = frame.Source, destination = frame.Destination;
        if (!MaySend(from, source))
        {
            Interlocked.Increment(ref _spoofed);
            return;
        }

        _table.Learn(source, from);
        object? known = destination.IsMulticast ? null : OwnerOf(destination) ?? _table.Find(destination);
        if (known is Port to)
        {
            if (to != from)
                to.Deliver(frame);
            return;
        }

        foreach (Port port in _ports)
        {
            if (port != from)
                port.Deliver(frame);
        }
    }

    private bool MaySend(Port from, MacAddress source)
    {
        if (source == from.Options.Mac && source.Value != 0)
            return true;
        // Even who may use other addresses may not use one that belongs to a neighbour.
        return from.Options.AllowOtherSources && source.IsStation && OwnerOf(source) is null;
    }

    private Port? OwnerOf(MacAddress address)
    {
        if (address.Value == 0)
            return null;
        foreach (Port port in _ports)
        {
            if (port.Options.Mac == address)
                return port;
        }

        return null;
    }

    private sealed class Port(LearningSwitch owner, INetStation station, SwitchPortOptions options) : INetPort
    {
        private volatile bool _closed;

        public SwitchPortOptions Options => options;

        public void Send(Frame frame)
        {
            if (!_closed && frame.Length > 0)
                owner.Send(this, frame);
        }

        public void Deliver(Frame frame)
        {
            if (!_closed)
                frame.DeliverTo(station);
        }

        public void Dispose()
        {
            if (_closed)
                return;
            _closed = true;
            owner.Disconnect(this);
        }
    }
}
