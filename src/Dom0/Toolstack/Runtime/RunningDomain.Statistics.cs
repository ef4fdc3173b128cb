using Xen.Core;

namespace Xen.Toolstack;

/// <summary>What it has used.</summary>
internal sealed partial class RunningDomain
{
    private const int KibibytesPerPageShift = 2;

    private volatile DomainStatistics _lastStatistics = new(TimeSpan.Zero, 0, 0, 0, [], []);

    public DomainStatistics Statistics
    {
        get
        {
            if (_isChanging)
                return _lastStatistics;
            lock (_lock)
            {
                if (_life is not { } life)
                    return _lastStatistics;
                DomainInfo info = _host.Control.GetInfo(life.Domain);
                return _lastStatistics = new DomainStatistics(
                    TimeOf(info.CpuTime), (long)info.Pages << KibibytesPerPageShift, (long)life.Domain.MaxPages << KibibytesPerPageShift, info.OnlineVcpus,
                    life.Devices.VifStatistics, life.Devices.DiskStatistics);
            }
        }
    }
}
