using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary>What can be asked of a fake domain: it keeps what it was asked, for the test to look at.</summary>
internal sealed partial class FakeDomain
{
    public List<string> Requests { get; } = [];

    public DateTimeOffset StartTime { get; } = DateTimeOffset.UnixEpoch;

    public DomainShare Share => new(config.CpuWeight, config.CpuCap);

    public IReadOnlyList<VcpuStatus> Vcpus =>
        [.. Enumerable.Range(0, config.MaxVcpus).Select(static i => new VcpuStatus(i, true, false, true, false, i, TimeSpan.FromSeconds(i), null))];

    public string DumpCore(string? path, CoreDumpOptions options)
    {
        Requests.Add($"dump {path} {options}");
        return path ?? "core";
    }

    public void EndWithThisLife() => Requests.Add("last");

    public void Reset()
    {
        Requests.Add("reset");
        Restarted?.Invoke();
    }

    /// <summary>What <see cref="Statistics"/> says, if not what follows from the configuration.</summary>
    public DomainStatistics? Used { get; set; }

    public DomainStatistics Statistics => Used ?? new(Status.CpuTime, config.MemoryMiB << 10, config.MaxMemoryMiB << 10, config.Vcpus, [], []);

    public void RequestShutdown(ShutdownRequest request) => Requests.Add($"shutdown {request}");

    public void SendSysRq(char key) => Requests.Add($"sysrq {key}");

    public void Trigger(DomainTrigger trigger, int vcpu = 0) => Requests.Add($"trigger {trigger} {vcpu}");

    public void Rename(string name) => Requests.Add($"rename {name}");

    public void SetShare(int? weight, int? cap) => Requests.Add($"share {weight} {cap}");

    public void PinVcpu(int? vcpu, IReadOnlySet<int>? cpus) => Requests.Add($"pin {vcpu} {(cpus is null ? "any" : string.Join(',', cpus.Order()))}");

    public void SetVcpuCount(int count) => Requests.Add($"vcpus {count}");

    public void SetMemoryTarget(int mebibytes) => Requests.Add($"memory {mebibytes}");

    public void SetMaxMemory(int mebibytes) => Requests.Add($"maxmem {mebibytes}");
}
