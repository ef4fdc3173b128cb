using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>What a domain has used.</summary>
public sealed class DomainStatisticsTests
{
    [Fact]
    public void Statistics_AreOfTheDomainAndItsDevices()
    {
        using var machine = new TestMachine();
        string image = Path.Combine(machine.Folder, "disk.img");
        using (FileStream file = File.Create(image))
            file.SetLength(1 << 20);
        IRunningDomain domain = machine.Start(machine.Config("web") with
        {
            MaxMemoryMiB = 128, Disks = [DomainConfigReader.ReadDisk($"{image},raw,xvdb,w")],
        });
        TestMachine.WaitFor(() => domain.Statistics.CpuTime > TimeSpan.Zero, "running");

        DomainStatistics statistics = domain.Statistics;
        Assert.Equal((64 << 10, 128 << 10, 1), (statistics.MemoryKiB, statistics.MaxMemoryKiB, statistics.OnlineVcpus));
        VbdStatistics disk = Assert.Single(statistics.Vbds);
        Assert.Equal(("xvdb", 0, 0), (disk.Name, disk.Reads, disk.OutOfRequests));
        Assert.Equal(0, disk.ReadLatency.Total);
        Assert.Null(disk.ReadLatency.Quantile(0.5));
        Assert.Empty(statistics.Vifs);

        domain.Destroy();
        Assert.Equal("xvdb", Assert.Single(domain.Statistics.Vbds).Name);
    }

    [Fact]
    public void Devices_ThatWerePluggedIn_AreThereInTheNextLife()
    {
        using var machine = new TestMachine();
        string image = Path.Combine(machine.Folder, "disk.img");
        File.WriteAllBytes(image, new byte[1 << 20]);
        IRunningDomain domain = machine.Start(machine.Config("web"));
        domain.Devices.AttachDisk(DomainConfigReader.ReadDisk($"{image},raw,xvdb,w"));

        domain.Reset();

        Assert.Equal("xvdb", Assert.Single(domain.Devices.Disks).Disk.Disk.Name);
    }

    [Theory]
    [InlineData(0.0, 2)]
    [InlineData(0.5, 2)]
    [InlineData(0.75, 8)]
    [InlineData(1.0, 8)]
    public void Quantile_IsTheBoundAboveTheShare(double share, int microseconds) =>
        Assert.Equal(TimeSpan.FromMicroseconds(microseconds), new LatencyHistogram([0, 2, 0, 2], TimeSpan.FromMicroseconds(14)).Quantile(share));
}
