using Xen.Abi;

namespace Xen.Core;

/// <summary>The machine's domains.</summary>
public sealed partial class Machine
{
    /// <summary>Who has each number: a domain, or a dead one of which frames are left. Written under the lock, read without; grows.</summary>
    private Domain?[] _numbers = new Domain?[16];

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

    /// <summary>The number that was given last. Under the lock.</summary>
    internal DomId LastNumber { get; set; }

    /// <summary>Mappings that services of this process, as domain 0, have of granted pages.</summary>
    public HostGrants HostGrants { get; }

    /// <summary>The domain of that number, or null. Takes no lock.</summary>
    public Domain? FindDomain(DomId id) => FindAny(id) is { IsGone: false } domain ? domain : null;

    /// <summary>Makes a domain. False when there is no number or no frame for it.</summary>
    internal bool TryCreateDomain(DomainSettings settings, out Domain? domain)
    {
        lock (_domainsLock)
        {
            domain = null;
            if (!TryTakeDomId(out DomId id) || !TryAllocateShared(id, out Mfn sharedInfo))
                return false;
            try
            {
                domain = new Domain(this, id, settings, sharedInfo)
                {
                    Handle = settings.Handle, MaxPages = settings.MaxPages, Events = { MaxPort = settings.MaxEventChannels },
                };
            }
            catch
            {
                FreeShared(sharedInfo);
                throw;
            }

            domain.PublishWallClock();
            foreach (Vcpu vcpu in domain.Vcpus)
            {
                vcpu.Info.UpcallMask = true;
                vcpu.PublishClock(Clock.Now);
            }

            Scheduler.Add(domain);
            _domains.Add(id, domain);
            if (id.Value >= _numbers.Length)
            {
                var grown = new Domain?[Math.Max(_numbers.Length * 2, id.Value + 1)];
                _numbers.CopyTo(grown, 0);
                Volatile.Write(ref _numbers, grown);
            }

            Volatile.Write(ref _numbers[id.Value], domain);
        }

        Log.Write($"{domain.Id} created: {domain.Name}, {settings.VcpuCount} vcpus, {settings.MaxPages >> 8} MiB");
        return true;
    }

    /// <summary>Ends a domain, once. Frames that others have mapped outlive it; its number is free again when the last of them is.</summary>
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
        {
            _domains.Remove(domain.Id);
            domain.IsGone = true;
        }

        // See Domain.FreeOrphan.
        Interlocked.MemoryBarrier();
        ulong left = domain.TotalPages;
        if (left == 0)
            ReleaseNumber(domain);
        Log.Write($"{domain.Id} destroyed: {domain.Name}{(left == 0 ? "" : $"; {left} of its pages are still mapped by others")}");
    }

    /// <summary>Frees the number of a domain that has gone, and none of whose frames is left. Does nothing the second time.</summary>
    internal void ReleaseNumber(Domain domain)
    {
        lock (_domainsLock)
        {
            if (_numbers[domain.Id.Value] == domain)
                _numbers[domain.Id.Value] = null;
        }
    }

    /// <summary>The domain of that number, dead or not. Takes no lock.</summary>
    internal Domain? FindAny(DomId id)
    {
        Domain?[] numbers = Volatile.Read(ref _numbers);
        return id.Value < numbers.Length ? Volatile.Read(ref numbers[id.Value]) : null;
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
            LastNumber = new DomId((ushort)(LastNumber.Value + 1 < DomId.FirstReserved.Value ? LastNumber.Value + 1 : 1));
            id = LastNumber;
            if (FindAny(id) is null)
                return true;
        }

        id = DomId.Invalid;
        return false;
    }
}
