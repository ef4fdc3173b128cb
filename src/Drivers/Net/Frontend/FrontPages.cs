using Xen.Abi;
using Xen.Rings;

namespace Xen.Drivers.Net.Frontend;

/// <summary>Pages of a frontend's that its backend may use, until they are disposed of.</summary>
internal sealed class FrontPages(IGrantSource grants, DomId backend) : IDisposable
{
    private readonly List<(ISharedPage Page, GrantRef Reference)> _pages = [];

    public int Count => _pages.Count;

    public GrantRef Reference(int index) => _pages[index].Reference;

    public Span<byte> Bytes(int index) => _pages[index].Page.Bytes;

    public ISharedPage Page(int index) => _pages[index].Page;

    /// <summary>Adds pages.</summary>
    /// <returns>Null, or why not.</returns>
    public string? Add(int count, bool readOnly)
    {
        for (int i = 0; i < count; i++)
        {
            ISharedPage page = grants.AllocatePage();
            GrantStatus status = grants.Grant(page, backend, readOnly, out GrantRef reference);
            if (status != GrantStatus.Okay)
            {
                page.Dispose();
                return $"a page could not be granted to {backend}: {status}";
            }

            _pages.Add((page, reference));
        }

        return null;
    }

    public void Dispose()
    {
        // A page that the peer still has mapped stays its: giving it away would let the peer write to what it becomes.
        foreach ((ISharedPage page, GrantRef reference) in _pages)
        {
            if (grants.EndAccess(reference))
                page.Dispose();
        }

        _pages.Clear();
    }
}
