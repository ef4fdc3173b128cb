using Grpc.Core;
using Xen.Contract.V1;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The host, its hypervisor and xend itself.</summary>
internal sealed partial class XendService
{
    public override Task<HostInfo> GetInfo(GetInfoRequest request, ServerCallContext context)
    {
        MachineInfo machine = state.Toolstack.Info;
        return Task.FromResult(new HostInfo
        {
            TotalMemoryMib = machine.TotalMemoryMiB,
            FreeMemoryMib = machine.FreeMemoryMiB,
            PhysicalCpus = machine.PhysicalCpus,
            CpuKhz = machine.CpuKhz,
            CpuEngine = HostEngine.Describe(),
            Scheduler = machine.Scheduler,
            ProcessId = Environment.ProcessId,
            Version = XendState.Version,
            StartedUnixMs = state.Started.ToUnixTimeMilliseconds(),
            LogFolder = state.Paths.LogFolder,
        });
    }

    public override Task<TextReply> ReadLog(ReadLogRequest request, ServerCallContext context)
    {
        if (request.Clear)
            Caller.RequireOperator(context, "clearing the log");
        return Task.FromResult(new TextReply { Text = state.Toolstack.ReadLog(request.Clear) });
    }

    public override Task<TextReply> SendDebugKeys(DebugKeysRequest request, ServerCallContext context) => lanes.ControlAsync(
        () => new TextReply { Text = string.Concat(request.Keys.Take(MostKeys).Select(state.Toolstack.DebugKey)) });

    /// <summary>Debug keys of one call.</summary>
    private const int MostKeys = 64;

    /// <summary>The longest that guests may be given to shut down. <b>Units</b>: seconds.</summary>
    private const int LongestStop = 24 * 3600;

    public override async Task<Done> Stop(StopRequest request, ServerCallContext context)
    {
        if (request.TimeoutSeconds is < 0 or > LongestStop)
            throw new ArgumentException($"timeout_seconds must be from 0 to {LongestStop}.");
        TimeSpan? patience = request.TimeoutSeconds > 0 ? TimeSpan.FromSeconds(request.TimeoutSeconds) : null;
        try
        {
            // Also if the client leaves: what has begun to stop ends.
            await state.ShutDownDomainsAsync(patience, state.Stopping).ConfigureAwait(false);
        }
        finally
        {
            state.RequestStop("a client said so");
        }

        return new Done();
    }
}
