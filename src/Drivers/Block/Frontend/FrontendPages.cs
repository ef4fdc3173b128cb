using Xen.Abi;
using Xen.Rings;

namespace Xen.Drivers.Block.Frontend;

/// <summary>A page of ours and, while it is granted, its number.</summary>
internal sealed class FrontendPage(ISharedPage page)
{
    public ISharedPage Page { get; } = page;

    public GrantRef Reference { get; set; }

    public bool IsGranted { get; set; }
}

/// <summary>
/// The pages that carry a frontend's data. What was used last is used next, so that a backend with room for few persistent grants finds
/// those that it has. <b>Source</b>: io/blkif.h, "feature-persistent".
/// </summary>
/// <remarks>Any thread.</remarks>
internal sealed class FrontendPages(IGrantSource grants, DomId backend, bool persistent)
{
    private readonly Lock _lock = new();
    private readonly Stack<FrontendPage> _free = [];

    /// <summary>Pages whose grant the backend has not given up yet.</summary>
    private readonly List<FrontendPage> _stuck = [];

    /// <summary>A granted page, or null: the grant table is full.</summary>
    public FrontendPage? Take(bool readOnly)
    {
        FrontendPage? page;
        lock (_lock)
            _free.TryPop(out page);
        page ??= new FrontendPage(grants.AllocatePage());
        if (page.IsGranted)
            return page;
        if (grants.Grant(page.Page, backend, readOnly && !persistent, out GrantRef reference) != GrantStatus.Okay)
        {
            lock (_lock)
                _free.Push(page);
            return null;
        }

        (page.Reference, page.IsGranted) = (reference, true);
        return page;
    }

    /// <summary>Takes a page back that a request is done with.</summary>
    public void Return(FrontendPage page)
    {
        if (!persistent)
            page.IsGranted = !grants.EndAccess(page.Reference);
        lock (_lock)
        {
            if (page.IsGranted && !persistent)
                _stuck.Add(page);
            else
                _free.Push(page);
        }
    }

    /// <summary>Ends all grants and gives the pages back, each as soon as the backend no longer has it mapped.</summary>
    public void Release()
    {
        lock (_lock)
        {
            while (_free.TryPop(out FrontendPage? page))
                _stuck.Add(page);
            foreach (FrontendPage page in _stuck)
                End(grants, page);
            _stuck.Clear();
        }
    }

    public static void End(IGrantSource grants, FrontendPage page)
    {
        if (page.IsGranted)
            grants.EndAccess(page.Reference, page.Page);
        else
            page.Page.Dispose();
        page.IsGranted = false;
    }
}
