using System.Reflection;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>What the calls work on.</summary>
internal sealed class XendState
{
    /// <summary>How long guests may take to shut down.</summary>
    public static readonly TimeSpan PresetPatience = TimeSpan.FromSeconds(60);

    private readonly TaskCompletionSource<string> _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public XendState(XenPaths paths, IToolstack toolstack, XendLog log, CancellationToken stopping)
    {
        (Paths, Toolstack, Log, Stopping) = (paths, toolstack, log, stopping);
        Domains = new DomainRegistry(toolstack, Events);
    }

    /// <summary>Of xend and the contract, as the assembly says.</summary>
    public static string Version { get; } =
        typeof(XendState).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    public XenPaths Paths { get; }

    public IToolstack Toolstack { get; }

    public XendLog Log { get; }

    public DomainEvents Events { get; } = new();

    public DomainRegistry Domains { get; }

    /// <summary>Cancelled when xend stops: calls that wait end.</summary>
    public CancellationToken Stopping { get; }

    public DateTimeOffset Started { get; } = DateTimeOffset.UtcNow;

    /// <summary>Completes when xend shall end, with the reason.</summary>
    public Task<string> StopRequested => _stopRequested.Task;

    /// <summary>Says that xend shall end.</summary>
    public void RequestStop(string reason) => _stopRequested.TrySetResult(reason);

    /// <summary>Ends all domains; no more are created from now on.</summary>
    /// <param name="patience">How long they may take before they are destroyed; null: <see cref="PresetPatience"/>.</param>
    /// <param name="cancellation">Ends the wait; they stay asked.</param>
    public async Task ShutDownDomainsAsync(TimeSpan? patience, CancellationToken cancellation)
    {
        Domains.Close();
        foreach (ManagedDomain domain in Domains.Domains)
            domain.Domain.Destroy();
        await Task.WhenAll(Domains.Domains.Select(static domain => domain.Domain.Completion)).WaitAsync(patience ?? PresetPatience, cancellation).ConfigureAwait(false);
    }

    /// <summary>Domain 0, as <c>xm list</c> shows it: this process.</summary>
    public Domain DescribeDom0()
    {
        MachineInfo machine = Toolstack.Info;
        return new Domain
        {
            Id = 0,
            Name = "Domain-0",
            Uuid = Guid.Empty.ToString(),
            MemoryMib = (int)(Environment.WorkingSet >> 20),
            MaxMemoryMib = machine.TotalMemoryMiB,
            OnlineVcpus = machine.PhysicalCpus,
            MaxVcpus = machine.PhysicalCpus,
            State = "r-----",
            CpuSeconds = Environment.CpuUsage.TotalTime.TotalSeconds,
        };
    }
}
