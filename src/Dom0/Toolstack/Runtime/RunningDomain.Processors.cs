using System.Globalization;
using Xen.Abi;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>Its processors: share, vCPUs, pinning.</summary>
internal sealed partial class RunningDomain
{
    private const int MostWeight = 65535, CapOfOneVcpu = 100;

    public DomainShare Share
    {
        get
        {
            DomainConfig config = _config;
            return new DomainShare(config.CpuWeight, config.CpuCap);
        }
    }

    /// <summary>As they were when the life ended that is being replaced.</summary>
    private volatile IReadOnlyList<VcpuStatus> _lastVcpus = [];

    /// <summary>Without the lock, which is held while the domain is dumped or built anew: a life's vCPUs are there as long as anybody looks at them.</summary>
    public IReadOnlyList<VcpuStatus> Vcpus
    {
        get
        {
            // In this order: a life that is not there although nothing changes has been the last.
            bool isChanging = _isChanging;
            return _life is { } life ? DescribeVcpus(life) : isChanging ? _lastVcpus : [];
        }
    }

    public void SetShare(int? weight, int? cap)
    {
        lock (_lock)
        {
            DomainLife life = Living();
            int newWeight = weight ?? _config.CpuWeight, newCap = cap ?? _config.CpuCap, mostCap = CapOfOneVcpu * _config.MaxVcpus;
            if (newWeight is < 1 or > MostWeight)
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture, $"a weight is 1 to {MostWeight}, and not {newWeight}; 256 is the usual."));
            if (newCap < 0 || (cap is not null && newCap > mostCap))
            {
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                    $"a cap is 0 to {mostCap} percent of one processor for the {_config.MaxVcpus} vCPUs of '{_config.Name}', and not {newCap}; 0 is no limit."));
            }

            Check(_host.Control.SetShare(life.Domain, newWeight, newCap), "the share of the processors");
            _config = _config with { CpuWeight = newWeight, CpuCap = newCap };
        }
    }

    public void PinVcpu(int? vcpu, IReadOnlySet<int>? cpus)
    {
        lock (_lock)
        {
            DomainLife life = Living();
            IReadOnlyList<Vcpu> vcpus = life.Domain.Vcpus;
            if (vcpu is { } number && (uint)number >= (uint)vcpus.Count)
            {
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                    $"domain '{_config.Name}' has no vCPU {number}: its vCPUs are 0 to {vcpus.Count - 1}, or 'all'."));
            }

            IReadOnlySet<int> set = cpus ?? DomainLife.AnyCpu;
            CpuSet affinity = DomainLife.ToCpuSet(set);
            int physical = _host.Machine.Config.PhysicalCpuCount;
            if (affinity.Intersect(CpuSet.First(physical)).IsEmpty)
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture, $"this machine has none of those CPUs: it has 0 to {physical - 1}."));

            // vCPUs that had no entry may run anywhere, as before.
            IReadOnlySet<int>[] all = [.. Enumerable.Range(0, vcpus.Count).Select(i => i < _config.Affinity.Count ? _config.Affinity[i] : DomainLife.AnyCpu)];
            for (int i = vcpu ?? 0; i <= (vcpu ?? vcpus.Count - 1); i++)
            {
                Check(DomainControl.SetAffinity(vcpus[i], affinity), "the CPUs of a vCPU");
                all[i] = set;
            }

            _config = _config with { Affinity = all };
        }
    }

    public void SetVcpuCount(int count)
    {
        lock (_lock)
        {
            DomainLife life = Listening();
            if (count < 1 || count > _config.MaxVcpus)
            {
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                    $"domain '{_config.Name}' can have 1 to {_config.MaxVcpus} vCPUs, and not {count}: maxvcpus= in its configuration gives it more."));
            }

            Check(DomainNodes.WriteAvailability(_host.Dom0.Store, life.Domain.Id, count, _config.MaxVcpus), "its xenstore nodes");
            _config = _config with { Vcpus = count };
        }
    }

    private IReadOnlyList<VcpuStatus> DescribeVcpus(DomainLife life) => [.. life.Domain.Vcpus.Select(Describe)];

    private VcpuStatus Describe(Vcpu vcpu)
    {
        VcpuInfo info = _host.Control.GetVcpuInfo(vcpu);
        int physical = _host.Machine.Config.PhysicalCpuCount;
        CpuSet machine = CpuSet.First(physical), allowed = info.Affinity.Intersect(machine);
        int[]? affinity = allowed == machine ? null : [.. Enumerable.Range(0, physical).Where(allowed.Contains)];
        return new VcpuStatus(
            vcpu.Id.Value, info.IsOnline, info.IsRunning, info.IsBlocked, vcpu.Domain.PauseCount > 0, info.IsOnline ? info.Cpu : null, TimeOf(info.CpuTime), affinity);
    }

    private void Check(XenErrno error, string what)
    {
        if (error != XenErrno.OK)
            throw new ToolstackException($"{what} of domain '{_config.Name}' cannot be changed: {error}.");
    }
}
