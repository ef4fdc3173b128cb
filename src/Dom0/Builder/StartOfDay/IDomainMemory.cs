using Xen.Abi;

namespace Xen.Builder.StartOfDay;

/// <summary>
/// The memory of a domain that does not run yet, as the builder reaches it. Every frame is populated, belongs to the domain and is zero:
/// the hypervisor scrubs memory before it gives it.
/// </summary>
public interface IDomainMemory
{
    /// <summary>How many pages the domain has, numbered from 0 without holes. <b>Units</b>: pages.</summary>
    ulong PageCount { get; }

    /// <summary>The machine frame behind a page; <paramref name="pfn"/> is below <see cref="PageCount"/>.</summary>
    Mfn FrameOf(Pfn pfn);

    /// <summary>Writes into one page; the bytes do not reach beyond its end. Several threads may write at a time, none where another does.</summary>
    void Write(Pfn pfn, int offset, ReadOnlySpan<byte> bytes);
}
