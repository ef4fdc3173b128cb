using System.Globalization;
using Xen.Abi;
using Xen.Rings;

namespace Xen.XenStore;

// Domains come, shut down and go.
public sealed partial class StoreServer
{
    /// <summary>Begins to serve a domain on its ring; a domain that is served already gets a new connection. The first time, @introduceDomain is fired.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="page">Its ring page; owned from now on.</param>
    /// <param name="events">The store's end of its event channel; owned from now on.</param>
    /// <returns>OK, or EINVAL for a number that no domain has; page and port are disposed then.</returns>
    public XenErrno IntroduceDomain(DomId domain, ISharedPage page, IEventPort events)
    {
        ArgumentNullException.ThrowIfNull(page);
        ArgumentNullException.ThrowIfNull(events);
        if (domain.IsReserved)
        {
            events.Dispose();
            page.Dispose();
            return XenErrno.EINVAL;
        }

        StoreRingConnection? former;
        StoreRingConnection ring;
        lock (_lock)
        {
            StoreDomain known = DomainOf(domain);
            former = known.Ring;
            if (former is not null)
            {
                Close(former.Client);
                known.Clients.Remove(former.Client);
            }

            ring = new StoreRingConnection(this, known, page, events);
            known.Clients.Add(ring.Client);
            known.Ring = ring;
            known.IsShutDown = false;
            if (!known.IsIntroduced)
                FireSpecial(StorePath.IntroduceDomain, domain);
            known.IsIntroduced = true;
        }

        former?.Dispose();
        ring.Start();
        return XenErrno.OK;
    }

    /// <summary>
    /// Ends a domain: its connections, watches and transactions go, and @releaseDomain is fired. Its nodes stay, for the toolstack to remove; they are
    /// Dom0's now, and no permission names the domain any more, so that its number can be given to another.
    /// </summary>
    /// <returns>OK; ENOENT if the store does not know it; EINVAL for Dom0.</returns>
    public XenErrno ReleaseDomain(DomId domain)
    {
        if (domain == DomId.Dom0)
            return XenErrno.EINVAL;
        StoreRingConnection? ring;
        lock (_lock)
        {
            if (!_domains.Remove(domain, out StoreDomain? known))
                return XenErrno.ENOENT;
            ring = known.Ring;
            CloseAll(known);
            foreach (StoreDomain other in _domains.Values)
            {
                if (other.Target == domain)
                    other.Target = null;
            }

            _tree = _tree.WithoutDomain(domain);
            FireSpecial(StorePath.ReleaseDomain, domain);
        }

        ring?.Dispose();
        return XenErrno.OK;
    }

    /// <summary>A domain crashed or shut down but is not released yet: fires @releaseDomain, once until it resumes.</summary>
    /// <returns>OK, or ENOENT if it is not introduced.</returns>
    public XenErrno NotifyShutdown(DomId domain)
    {
        lock (_lock)
        {
            if (!_domains.TryGetValue(domain, out StoreDomain? known) || !known.IsIntroduced)
                return XenErrno.ENOENT;
            if (!known.IsShutDown)
                FireSpecial(StorePath.ReleaseDomain, domain);
            known.IsShutDown = true;
            return XenErrno.OK;
        }
    }

    /// <summary>Whether a domain is served; Dom0 always is.</summary>
    public bool IsIntroduced(DomId domain)
    {
        lock (_lock)
            return domain == DomId.Dom0 || domain == DomId.Self || (_domains.TryGetValue(domain, out StoreDomain? known) && known.IsIntroduced);
    }

    /// <summary>The domain's shutdown is announced again (RESUME).</summary>
    /// <returns>OK, or ENOENT if it is not introduced.</returns>
    public XenErrno Resume(DomId domain)
    {
        lock (_lock)
        {
            if (!_domains.TryGetValue(domain, out StoreDomain? known) || !known.IsIntroduced)
                return XenErrno.ENOENT;
            known.IsShutDown = false;
            return XenErrno.OK;
        }
    }

    /// <summary>Gives a domain all rights of another beside its own (SET_TARGET), until one of them is released.</summary>
    /// <returns>OK, or ENOENT if one of them is not introduced.</returns>
    public XenErrno SetTarget(DomId domain, DomId target)
    {
        lock (_lock)
        {
            if (!_domains.TryGetValue(domain, out StoreDomain? known) || !known.IsIntroduced
                || !_domains.TryGetValue(target, out StoreDomain? other) || !other.IsIntroduced)
                return XenErrno.ENOENT;

            // With Dom0 for a target a domain would be Dom0.
            if (target == DomId.Dom0)
                return XenErrno.EINVAL;
            known.Target = target;
            return XenErrno.OK;
        }
    }

    /// <summary>The feature bits that a domain's page shows or will show; null asks for all there are.</summary>
    internal uint FeaturesOf(DomId? domain)
    {
        lock (_lock)
            return domain is { } id && _domains.TryGetValue(id, out StoreDomain? known) ? known.Features : StoreFeatures.All;
    }

    /// <summary>Sets the feature bits of a domain that is not introduced yet.</summary>
    internal XenErrno SetFeatures(DomId domain, uint features)
    {
        lock (_lock)
        {
            StoreDomain? known = _domains.GetValueOrDefault(domain);
            if ((features & ~StoreFeatures.All) != 0 || domain.IsReserved)
                return XenErrno.EINVAL;
            if (known is { IsIntroduced: true })
                return XenErrno.EBUSY;
            DomainOf(domain).Features = features;
            return XenErrno.OK;
        }
    }

    /// <summary>Fires one of the special watches for those who may know.</summary>
    private void FireSpecial(string name, DomId domain)
    {
        string precise = string.Create(CultureInfo.InvariantCulture, $"{name}/{domain.Value}");
        NodePermissions permissions = _special[name];
        foreach (StoreWatch watch in _watches.On(name))
            Tell(watch, watch.Depth == 1 ? precise : name);
        foreach (StoreWatch watch in _watches.On(precise))
            Tell(watch, precise);
        foreach (StoreWatch watch in _watches.On(StorePath.Root))
            Tell(watch, name);

        void Tell(StoreWatch watch, string path)
        {
            if (permissions.RightsOf(watch.Client.Identity).HasFlag(NodeRights.Read))
                watch.Client.Notify(watch, path);
        }
    }
}
