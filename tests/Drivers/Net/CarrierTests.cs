using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Tests.Net;

/// <summary>A network that fails: the guest and the operator are told, and the user-mode network comes back. Needs passt (.ci/run installs it).</summary>
public sealed class CarrierTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("xen-net-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Carrier_IsInTheBackendsFolder_AndToldToTheOperator()
    {
        BlockingCollection<string> log = [];
        using NetRig rig = new();
        FailingNetwork network = new();
        Vif vif = rig.Guest(3, Packets.A, network, back: o => o with { Log = log.Add });
        string node = vif.Context.BackendPath + "/carrier";
        Assert.Equal("1", rig.World.Store.Read(node));
        network.Station!.CarrierChanged(false, "the cable is cut");
        Assert.Equal("0", rig.World.Store.Read(node));
        Assert.Equal("the cable is cut", log.Take());
        network.Station.CarrierChanged(true, "mended");
        Assert.Equal("1", rig.World.Store.Read(node));
        rig.World.Store.Remove(vif.Context.BackendPath);
        network.Station.CarrierChanged(false, "too late");
        Assert.Null(rig.World.Store.Read(node));
    }

    [Fact]
    public void Passt_ThatIsKilled_IsStartedAgain_AndServes()
    {
        RecordingStation station = new();
        using UserNetwork network = new(new UserNetworkOptions(Packets.A, "d3-0"));
        Assert.Null(network.Connect(station, out INetPort? made));
        PasstPort port = Assert.IsType<PasstPort>(made);
        int last = 0;
        for (int i = 0; i < 2; i++)
        {
            int id = port.ProcessId;
            Assert.NotEqual(last, id);
            Kill(id);
            (bool isUp, string reason) = station.NextCarrier();
            Assert.False(isUp);
            Assert.Contains("passt ended (signal 9: ", reason, StringComparison.Ordinal);
            Assert.Equal((true, "the network is there again"), station.NextCarrier());
            Assert.False(Directory.Exists($"/proc/{id}"));
            AskForGateway(port);
            Assert.Equal(2, station.Next()[21]);
            last = id;
        }

        int still = port.ProcessId;
        port.Dispose();
        Assert.False(Directory.Exists($"/proc/{still}"));
        Assert.Empty(station.Carrier);
    }

    [Fact]
    public void Passt_ThatCannotBeStartedAgain_IsToldOnce_AndDoesNotHoldUpTheEnd()
    {
        // The first time it serves, then it fails: as a program that was removed.
        string mark = Path.Combine(_folder.FullName, "second"), program = Path.Combine(_folder.FullName, "passt");
        File.WriteAllText(program, $"#!/bin/sh\n[ -e {mark} ] && {{ echo no more >&2; exit 3; }}\n: >{mark}\nexec {ChildProcess.Find("passt")} \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        RecordingStation station = new();
        using UserNetwork network = new(new UserNetworkOptions(Packets.A, "d3-0") { Program = program });
        Assert.Null(network.Connect(station, out INetPort? made));
        PasstPort port = Assert.IsType<PasstPort>(made);
        Kill(port.ProcessId);
        Assert.Contains("starting it again", station.NextCarrier().Reason, StringComparison.Ordinal);
        (bool isUp, string reason) = station.NextCarrier();
        Assert.False(isUp);
        Assert.Contains("exit status 3: no more", reason, StringComparison.Ordinal);

        // Frames are lost meanwhile, and nothing waits.
        AskForGateway(port);
        long start = Stopwatch.GetTimestamp();
        port.Dispose();
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5));
        Assert.Empty(station.Carrier);
    }

    private static void Kill(int id)
    {
        using Process process = Process.GetProcessById(id);
        Assert.StartsWith("passt", process.ProcessName, StringComparison.Ordinal);
        process.Kill();
    }

    private static void AskForGateway(PasstPort port)
    {
        byte[] arp = new byte[28];
        byte[] head = [0, 1, 8, 0, 6, 4, 0, 1];
        head.CopyTo(arp, 0);
        Packets.A.Write(arp.AsSpan(8));
        BinaryPrimitives.WriteUInt32BigEndian(arp.AsSpan(14), 0x0A00020F);
        BinaryPrimitives.WriteUInt32BigEndian(arp.AsSpan(24), 0x0A000202);
        Frame frame = new();
        Assert.True(frame.Set(Packets.Ethernet(Packets.A, MacAddress.Broadcast, 0x0806, arp)));
        port.Send(frame);
    }

    /// <summary>A network that does nothing but tell.</summary>
    private sealed class FailingNetwork : INetwork, INetPort
    {
        public INetStation? Station { get; private set; }

        public string? Connect(INetStation station, out INetPort? port)
        {
            (Station, port) = (station, this);
            return null;
        }

        public void Send(Frame frame)
        {
        }

        public void Dispose()
        {
        }
    }
}
