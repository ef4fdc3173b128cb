using Xen.Abi;

namespace Xen.Core;

/// <summary>A frame of a domain, and the page that the guest knows it as.</summary>
/// <param name="Pfn">Its entry in the machine-to-physical table: the guest's word.</param>
/// <param name="Frame">The frame.</param>
public readonly record struct DomainPage(Pfn Pfn, Mfn Frame);

/// <summary>The domain's memory as somebody sees it who keeps a copy: a core dump.</summary>
public sealed partial class Domain
{
    /// <summary>The frames that it owns and has a page number for, by rising page number. Other frames it has are left out.</summary>
    public IReadOnlyList<DomainPage> ListPages()
    {
        var pages = new List<DomainPage>((int)Math.Min(TotalPages, int.MaxValue));
        lock (PagingLock)
        {
            for (Mfn frame = OwnedMemory.Owned.First; frame != Mfn.Invalid; frame = OwnedMemory.Owned.After(frame))
            {
                ulong pfn = Machine.Memory.ReadM2p(frame);
                if (pfn < HypervisorLayout.Mach2PhysNrEntries)
                    pages.Add(new DomainPage(new Pfn(pfn), frame));
            }
        }

        pages.Sort(static (one, other) => one.Pfn.Value.CompareTo(other.Pfn.Value));
        return pages;
    }

    /// <summary>Copies a frame, while the domain runs or not.</summary>
    /// <param name="frame">Any number.</param>
    /// <param name="to">Room for a page.</param>
    /// <returns>False when the frame is not the domain's, or no longer.</returns>
    public bool TryCopyPage(Mfn frame, Span<byte> to)
    {
        if (!TryReference(frame))
            return false;
        Machine.Memory.Frame(frame).CopyTo(to);
        Release(frame, writable: false);
        return true;
    }
}
