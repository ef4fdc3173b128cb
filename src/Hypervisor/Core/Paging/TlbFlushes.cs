using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// Flushes of a domain's vCPUs, with a clock that tells which were flushed since an event. A frame whose last use as something ends
/// is stamped with the time; before it becomes something else, only the vCPUs that have not flushed since are flushed.
/// </summary>
/// <remarks>
/// The clock ticks before a flush and the vCPU's time is noted when it has happened, so a vCPU's time above a stamp means that its flush began after
/// the entry was gone. A time that lags, because somebody flushed without telling, only costs a flush.
/// </remarks>
internal sealed class TlbFlushes(Domain domain, int vcpuCount)
{
    private readonly ulong[] _kernelFlushed = new ulong[vcpuCount];
    private readonly ulong[] _userFlushed = new ulong[vcpuCount];
    private ulong _clock = 1;

    /// <summary>The time to stamp frames with.</summary>
    public ulong Now => Volatile.Read(ref _clock);

    /// <summary>Flushes both TLBs of the vCPU that the calling thread runs.</summary>
    public void FlushLocal(Vcpu vcpu)
    {
        ulong time = Interlocked.Increment(ref _clock);
        vcpu.State.FlushTlb();
        Note(vcpu, time);
    }

    /// <summary>Flushes the TLB of kernel mode: its root has changed.</summary>
    public void FlushKernelLocal(Vcpu vcpu)
    {
        ulong time = Interlocked.Increment(ref _clock);
        vcpu.State.KernelTlb.Flush();
        Advance(ref _kernelFlushed[vcpu.Id.Value], time);
    }

    /// <summary>Flushes the TLB of user mode: its root has changed.</summary>
    public void FlushUserLocal(Vcpu vcpu)
    {
        ulong time = Interlocked.Increment(ref _clock);
        vcpu.State.UserTlb.Flush();
        Advance(ref _userFlushed[vcpu.Id.Value], time);
    }

    /// <summary>Flushes one vCPU, whichever it is.</summary>
    public void Flush(Vcpu? current, Vcpu vcpu)
    {
        if (vcpu == current)
        {
            FlushLocal(vcpu);
            return;
        }

        ulong time = Interlocked.Increment(ref _clock);
        vcpu.State.RequestTlbFlush();
        vcpu.State.WaitForFlush();
        Note(vcpu, time);
    }

    /// <summary>Flushes all vCPUs and waits until all have.</summary>
    public void FlushAll(Vcpu? current) => FlushSince(current, ulong.MaxValue);

    /// <summary>Flushes the vCPUs whose bit is set.</summary>
    /// <param name="current">The vCPU that the calling thread runs, if it does.</param>
    /// <param name="mask">One bit per vCPU; what is missing counts as 0.</param>
    public void FlushMask(Vcpu? current, ReadOnlySpan<ulong> mask)
    {
        ulong time = Interlocked.Increment(ref _clock);
        IReadOnlyList<Vcpu> vcpus = domain.Vcpus;
        for (int i = 0; i < vcpus.Count; i++)
        {
            if (IsSet(mask, i))
                Start(current, vcpus[i]);
        }

        for (int i = 0; i < vcpus.Count; i++)
        {
            if (IsSet(mask, i))
                Finish(current, vcpus[i], time);
        }
    }

    /// <summary>Flushes the vCPUs that have not flushed since that time, and waits until they have.</summary>
    public void FlushSince(Vcpu? current, ulong stamp)
    {
        // A vCPU's own thread may move its time on between the passes below; then it has flushed by itself, and needs no wait.
        IReadOnlyList<Vcpu> vcpus = domain.Vcpus;
        bool any = false;
        for (int i = 0; i < vcpus.Count; i++)
            any |= FlushedAt(i) <= stamp;
        if (!any)
            return;

        ulong time = Interlocked.Increment(ref _clock);
        for (int i = 0; i < vcpus.Count; i++)
        {
            if (FlushedAt(i) <= stamp)
                Start(current, vcpus[i]);
        }

        for (int i = 0; i < vcpus.Count; i++)
        {
            if (FlushedAt(i) <= stamp)
                Finish(current, vcpus[i], time);
        }
    }

    private static void Start(Vcpu? current, Vcpu vcpu)
    {
        if (vcpu == current)
            vcpu.State.FlushTlb();
        else
            vcpu.State.RequestTlbFlush();
    }

    private static bool IsSet(ReadOnlySpan<ulong> mask, int bit) => bit >> 6 < mask.Length && (mask[bit >> 6] & (1ul << (bit & 63))) != 0;

    private void Finish(Vcpu? current, Vcpu vcpu, ulong time)
    {
        if (vcpu != current)
            vcpu.State.WaitForFlush();
        Note(vcpu, time);
    }

    private ulong FlushedAt(int vcpu) => Math.Min(Volatile.Read(ref _kernelFlushed[vcpu]), Volatile.Read(ref _userFlushed[vcpu]));

    private void Note(Vcpu vcpu, ulong time)
    {
        Advance(ref _kernelFlushed[vcpu.Id.Value], time);
        Advance(ref _userFlushed[vcpu.Id.Value], time);
    }

    /// <summary>Times never go back, whoever notes them.</summary>
    private static void Advance(ref ulong flushed, ulong time)
    {
        ulong before = Volatile.Read(ref flushed);
        while (before < time)
        {
            ulong seen = Interlocked.CompareExchange(ref flushed, time, before);
            if (seen == before)
                return;
            before = seen;
        }
    }
}
