using Xen.Abi;
using Xen.Core;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>A domain's page as a backend sees it. While it is held the frame stays the domain's, and no page table.</summary>
internal sealed class MachinePage : ISharedPage
{
    private readonly Domain _domain;
    private readonly Mfn _frame;
    private bool _released;

    private MachinePage(Domain domain, Mfn frame)
    {
        _domain = domain;
        _frame = frame;
    }

    public Span<byte> Bytes
    {
        get
        {
            ObjectDisposedException.ThrowIf(_released, this);
            return _domain.Machine.Memory.Frame(_frame);
        }
    }

    /// <summary>Takes hold of a frame of a domain.</summary>
    /// <exception cref="ToolstackException">It cannot be had.</exception>
    public static MachinePage Hold(Domain domain, Mfn frame) => domain.TryHoldWritable(frame, current: null)
        ? new MachinePage(domain, frame)
        : throw new ToolstackException($"the page for the console of domain '{domain.Name}' cannot be mapped.");

    public void Dispose()
    {
        if (_released)
            return;
        _released = true;
        _domain.ReleaseHold(_frame, current: null);
    }
}
