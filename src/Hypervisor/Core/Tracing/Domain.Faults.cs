using Xen.Abi;

namespace Xen.Core;

/// <summary>How a domain that broke the machine's contract ends, and what it tells about itself.</summary>
public sealed partial class Domain
{
    private string _crashReport = "";

    /// <summary>Reason, registers and last events of the crash; empty when it has not crashed.</summary>
    public string CrashReport => Volatile.Read(ref _crashReport);

    /// <summary>Crashes the domain: its vCPUs stop, the reason and the culprit's registers go to the log. Any thread; returns at once.</summary>
    /// <param name="reason">One sentence for the operator.</param>
    /// <param name="culprit">The vCPU that did it, if one did; the calling thread runs it, or nobody does.</param>
    public void Crash(string reason, Vcpu? culprit)
    {
        IReadOnlyList<string> report = Core.CrashReport.Write(this, reason, culprit);
        if (Interlocked.CompareExchange(ref _crashReport, string.Join('\n', report), "").Length != 0)
            return;
        foreach (string line in report)
            Machine.Log.Write(line);
        Shutdown(ShutdownReason.Crash);
    }

    /// <summary>What its vCPUs have done so far, summed.</summary>
    public VcpuCounters SumCounters()
    {
        var sum = new VcpuCounters();
        foreach (Vcpu vcpu in _vcpus)
            sum.Add(vcpu.Counters);
        return sum;
    }
}
