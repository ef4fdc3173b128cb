using Xen.Abi;

namespace Xen.Core;

/// <summary>The guest's pages of the FIFO ABI. All under the table's lock; the frames are held writable by the caller (<see cref="Domain.TryHoldWritable"/>).</summary>
internal sealed partial class FifoEvents
{
    /// <summary>All frames that have been given, each as often as it was.</summary>
    private readonly List<Mfn> _frames = [];

    private int _pageCount;

    /// <summary>Pages of the event array.</summary>
    public int ArrayPages => _pageCount;

    /// <summary>The frames that are to be let go when the ABI is left.</summary>
    public IReadOnlyList<Mfn> Frames => _frames;

    /// <summary>Whether the vCPU has a control block.</summary>
    public bool HasControlBlock(int vcpu) => _vcpus[vcpu].ControlBlock != 0;

    /// <summary>Gives a vCPU its control block, once. The caller then raises again what waits for the vCPU.</summary>
    public void SetControlBlock(int vcpu, Mfn frame, uint offset)
    {
        FifoVcpu queues = _vcpus[vcpu];
        lock (queues.Lock)
            queues.ControlBlock = frame.Address + offset;
        _frames.Add(frame);
    }

    /// <summary>Adds a page to the event array. The caller then raises again what <see cref="ClaimEarly"/> gives.</summary>
    /// <param name="frame">The page.</param>
    /// <param name="firstPort">The first port whose word is there.</param>
    /// <returns>False when the array is as large as it can be.</returns>
    public bool TryAddPage(Mfn frame, out uint firstPort)
    {
        firstPort = (uint)(_pageCount * WordsPerPage);
        if (_pageCount == MostPages)
            return false;
        Volatile.Write(ref _pages[_pageCount++], new FifoPage(frame));
        Interlocked.MemoryBarrier();
        _frames.Add(frame);
        return true;
    }

    /// <summary>Whether an event came for the port before its page did; it is the caller's now.</summary>
    public bool ClaimEarly(EvtchnPort port) => TakeEarly(port);
}
