using Xen.Abi;
using Xen.Builder.StartOfDay;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>A domain's memory as the image builder reaches it.</summary>
internal sealed class BuildMemory(DomainControl control, Domain domain) : IDomainMemory
{
    public ulong PageCount => domain.TotalPages;

    public Mfn FrameOf(Pfn pfn) => domain.FrameOf(pfn);

    public void Write(Pfn pfn, int offset, ReadOnlySpan<byte> bytes) => control.WritePage(domain, pfn, offset, bytes);
}
