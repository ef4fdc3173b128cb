using System.Diagnostics;
using System.Globalization;
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

    /// <summary>After so long a guest is asked again: a kernel that is still booting ignores it.</summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(15);

    private readonly TaskCompletionSource<string> _stopRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public XendState(XenPaths paths, IToolstack toolstack, XendLog log, CancellationToken stopping)
    {
        (Paths, Toolstack, Log, Stopping) = (paths, toolstack, log, stopping);
        Domains = new DomainRegistry(toolstack, Events, new DefinitionStore(paths.DomainFolder, log));
        AutoStart = new AutoStart(paths, Domains, log);
        Statistics = new StatisticsSampler(this);
    }

    /// <summary>Of xend and the contract, as the assembly says.</summary>
    public static string Version { get; } =
        typeof(XendState).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    public XenPaths Paths { get; }

    public IToolstack Toolstack { get; }

    public XendLog Log { get; }

    public DomainEvents Events { get; } = new();

    public DomainRegistry Domains { get; }

    public AutoStart AutoStart { get; }

    public StatisticsSampler Statistics { get; }

    /// <summary>Cancelled when xend stops: calls that wait end.</summary>
    public CancellationToken Stopping { get; }

    public DateTimeOffset Started { get; } = DateTimeOffset.UtcNow;

    /// <summary>Completes when xend shall end, with the reason.</summary>
    public Task<string> StopRequested => _stopRequested.Task;

    /// <summary>Says that xend shall end.</summary>
    public void RequestStop(string reason) => _stopRequested.TrySetResult(reason);

    /// <summary>Has all domains shut down, the youngest first to be asked; no more are created from now on.</summary>
    /// <param name="patience">How long they may take before they are destroyed; null: <see cref="PresetPatience"/>.</param>
    /// <param name="cancellation">Ends the wait; they stay asked.</param>
    public async Task ShutDownDomainsAsync(TimeSpan? patience, CancellationToken cancellation)
    {
        Domains.Close();
        IReadOnlyList<ManagedDomain> all = Domains.Domains;
        Log.Write(string.Create(CultureInfo.InvariantCulture, $"no more domains are created; asked to shut down: {all.Count}"));
        Task ended = Task.WhenAll(all.Select(static managed => managed.Domain.Completion));
        long began = Stopwatch.GetTimestamp();
        while (!ended.IsCompleted && (patience ?? PresetPatience) - Stopwatch.GetElapsedTime(began) is var left && left > TimeSpan.Zero)
        {
            foreach (ManagedDomain managed in all.Reverse().Where(static managed => !managed.Domain.Completion.IsCompleted))
                AskOrDestroy(managed);
            await Task.WhenAny(ended, Task.Delay(left < AskAgain ? left : AskAgain, cancellation)).ConfigureAwait(false);
            cancellation.ThrowIfCancellationRequested();
        }

        foreach (ManagedDomain managed in all.Where(static managed => !managed.Domain.Completion.IsCompleted))
        {
            Log.Write($"domain '{managed.Name}' has not shut down in time, and is destroyed");
            managed.Domain.Destroy();
        }

        await ended.WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>A guest that is paused or has stopped would not hear it; one that restarts for it does so no more.</summary>
    private static void AskOrDestroy(ManagedDomain managed)
    {
        try
        {
            if (managed.Domain.Config.OnXendStop == XendStopAction.Shutdown && !managed.Domain.Status.State.HasFlag(DomainState.Paused))
            {
                managed.Domain.EndWithThisLife();
                managed.Domain.RequestShutdown(ShutdownRequest.Poweroff);
                return;
            }
        }
        catch (ToolstackException)
        {
            // It has ended already, or is about to.
        }

        managed.Domain.Destroy();
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
            StateText = "running",
            StartedUnixMs = Started.ToUnixTimeMilliseconds(),
            Weight = 256,
            CpuSeconds = Environment.CpuUsage.TotalTime.TotalSeconds,
        };
    }
}
