using System.Globalization;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>
/// Memory that domains which are being built have been promised and do not have yet, so that two do not build on the same. <b>Source</b>: memory.h,
/// XENMEM_claim_pages, whose purpose it has.
/// </summary>
/// <remarks>Any thread. The lock is taken before the machine's (it asks for its domains), and nothing else.</remarks>
internal sealed class MemoryClaims(Machine machine, ulong guestFrames)
{
    private const int FramesPerMebibyteShift = 8;

    /// <summary>Domains that a refusal names.</summary>
    private const int MostNamed = 6;

    private readonly Lock _lock = new();
    private readonly List<MemoryClaim> _claims = [];

    /// <summary>Memory that a new domain could have. <b>Units</b>: MiB.</summary>
    public int FreeMiB
    {
        get
        {
            lock (_lock)
                return (int)(FreeFrames(machine.Domains) >> FramesPerMebibyteShift);
        }
    }

    /// <summary>Claims the memory of a new domain, until the result is disposed of: that is when it has the memory.</summary>
    /// <exception cref="ToolstackException">There is less; says who has it.</exception>
    public MemoryClaim Claim(string name, int mebibytes)
    {
        lock (_lock)
        {
            IReadOnlyList<Domain> domains = machine.Domains;
            ulong frames = (ulong)mebibytes << FramesPerMebibyteShift, free = FreeFrames(domains);
            if (frames > free)
                throw new ToolstackException(Refusal(name, mebibytes, free >> FramesPerMebibyteShift, domains));
            return Add(new MemoryClaim(this, frames));
        }
    }

    /// <summary>Claims the memory that a domain gets in its next life.</summary>
    /// <param name="mebibytes">How much. <b>Units</b>: MiB.</param>
    /// <param name="last">Its last life, whose memory it has as long as that lasts.</param>
    public MemoryClaim ClaimAgain(int mebibytes, Domain last)
    {
        lock (_lock)
            return Add(new MemoryClaim(this, (ulong)mebibytes << FramesPerMebibyteShift) { Domain = last });
    }

    /// <summary>Ends a claim.</summary>
    internal void Remove(MemoryClaim claim)
    {
        lock (_lock)
            _claims.Remove(claim);
    }

    private MemoryClaim Add(MemoryClaim claim)
    {
        _claims.Add(claim);
        return claim;
    }

    private ulong FreeFrames(IReadOnlyList<Domain> domains)
    {
        // Of a domain that is getting its memory, what it has and what it has been promised is looked at once: it changes meanwhile.
        ulong used = 0, missing = 0;
        foreach (Domain domain in domains)
        {
            ulong pages = domain.TotalPages;
            ulong promised = _claims.Find(claim => claim.Domain == domain) is { } own ? Math.Max(own.Frames, pages) - pages : 0;
            used += pages;
            missing += promised;
        }

        foreach (MemoryClaim claim in _claims)
            missing += claim.Domain is { } domain && domains.Contains(domain) ? 0 : claim.Frames;

        // Frames of the dead that others still map are not free either.
        ulong free = Math.Min(guestFrames - Math.Min(guestFrames, used), machine.Allocator.FreeFrames);
        return free - Math.Min(free, missing);
    }

    private string Refusal(string name, int wanted, ulong free, IReadOnlyList<Domain> domains)
    {
        string[] owners = [.. domains
            .OrderByDescending(static domain => domain.TotalPages)
            .Take(MostNamed)
            .Select(static domain => string.Create(CultureInfo.InvariantCulture, $"'{domain.Name}' has {domain.TotalPages >> FramesPerMebibyteShift} MiB"))];
        string others = owners.Length == 0 ? "" : ", or end or shrink another domain: " + string.Join(", ", owners)
            + (domains.Count > owners.Length ? string.Create(CultureInfo.InvariantCulture, $", {domains.Count - owners.Length} more have less") : "");
        return string.Create(CultureInfo.InvariantCulture,
            $"domain '{name}' needs {wanted} MiB of memory, and {free} of the machine's {guestFrames >> FramesPerMebibyteShift} MiB are free: lower memory={others}.");
    }
}

/// <summary>Memory that is promised to a domain; see <see cref="MemoryClaims"/>.</summary>
internal sealed class MemoryClaim(MemoryClaims claims, ulong frames) : IDisposable
{
    private Domain? _domain;

    /// <summary>Who has it already in part, or null.</summary>
    public Domain? Domain
    {
        get => Volatile.Read(ref _domain);
        set => Volatile.Write(ref _domain, value);
    }

    /// <summary>What is promised. <b>Units</b>: frames.</summary>
    public ulong Frames => frames;

    public void Dispose() => claims.Remove(this);
}
