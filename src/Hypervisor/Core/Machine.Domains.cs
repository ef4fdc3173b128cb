using Xen.Abi;

namespace Xen.Core;

/// <summary>The machine's domains.</summary>
public sealed partial class Machine
{
    private ushort _lastDomId;

    /// <summary>
    /// Told when a domain has shut down and its last vCPU has stopped. On a physical CPU's thread or the caller's of <see cref="Domain.Shutdown"/>:
    /// handlers must be quick, and must not destroy the domain there.
    /// </summary>
    public event Action<Domain>? DomainShutdown;

    /// <summary>The domains, by rising number.</summary>
    public IReadOnlyList<Domain> Domains
    {
        get
        {
            lock (_domainsLock)
                return [.. _domains.Values.OrderBy(static domain => domain.Id.Value)];
        }
    }

    /// <summary>The domain of that number, or null.</summary>
    public Domain? FindDomain(DomId id)
    {
        lock (_domainsLock)
            return _domains.GetValueOrDefault(id);
    }

    /// <summary>Makes a domain. False when there is no number or no frame for it.</summary>
    internal bool TryCreateDomain(DomainSettings settings, out Domain? domain)
    {
        lock (_domainsLock)
        {
            domain = null;
            if (!TryTakeDomId(out DomId id) || !TryAllocateShared(id, out Mfn sharedInfo))
                return false;
            domain = new Domain(this, id, settings.Name, settings.VcpuCount, sharedInfo) { Handle = settings.Handle, MaxPages = settings.MaxPages };
            domain.PublishWallClock();
            foreach (Vcpu vcpu in domain.Vcpus)
            {
                vcpu.Info.UpcallMask = true;
                vcpu.PublishClock(Clock.Now);
            }

            Scheduler.Add(domain);
            _domains.Add(id, domain);
        }

        Log.Write($"{domain.Id} created: {domain.Name}, {settings.VcpuCount} vcpus, {settings.MaxPages >> 8} MiB");
        return true;
    }

    /// <summary>Ends a domain, once.</summary>
    internal void DestroyDomain(Domain domain)
    {
        lock (_domainsLock)
        {
            if (_domains.GetValueOrDefault(domain.Id) != domain || domain.IsDestroying)
                return;
            domain.IsDestroying = true;
        }

        try
        {
            domain.Destroy();
        }
        catch (InvalidOperationException leak)
        {
            // Our own fault, and not the neighbours': the frames stay lost, the machine goes on.
            Log.Write($"{domain.Id} was not destroyed cleanly: {leak.Message}");
        }

        lock (_domainsLock)
            _domains.Remove(domain.Id);
        Log.Write($"{domain.Id} destroyed: {domain.Name}");
    }

    internal void ReportShutdown(Domain domain)
    {
        Log.Write($"{domain.Id} shut down: {domain.ShutdownReason}");
        DomainShutdown?.Invoke(domain);
    }

    /// <summary>Numbers go round, so that a new domain does not get the number of one that has just died.</summary>
    private bool TryTakeDomId(out DomId id)
    {
        for (int i = 1; i < DomId.FirstReserved.Value; i++)
        {
            _lastDomId = (ushort)(_lastDomId + 1 < DomId.FirstReserved.Value ? _lastDomId + 1 : 1);
            id = new DomId(_lastDomId);
            if (!_domains.ContainsKey(id))
                return true;
        }

        id = DomId.Invalid;
        return false;
    }
}
