namespace Xen.Xm;

/// <summary>What of a sample is shown, and in which order.</summary>
internal sealed record TopView
{
    public bool Networks { get; init; }

    public bool Vbds { get; init; }

    public bool Vcpus { get; init; }

    /// <summary>The titles stand before each domain.</summary>
    public bool RepeatHeader { get; init; }

    /// <summary>Names are not cut.</summary>
    public bool FullNames { get; init; }

    /// <summary>Domain-0 is first in any order.</summary>
    public bool Dom0First { get; init; }

    /// <summary>By which column; null: by the domains' numbers.</summary>
    public TopColumn? Sort { get; init; }

    /// <summary>The other way round.</summary>
    public bool IsReversed { get; init; }

    /// <summary>The domains in order.</summary>
    public IReadOnlyList<TopDomain> Order(TopSample sample)
    {
        List<TopDomain> domains = [.. sample.Domains];
        domains.Sort((left, right) => Sort?.Compare(left, right) ?? left.Statistics.Id.CompareTo(right.Statistics.Id));
        if (IsReversed)
            domains.Reverse();
        if (Dom0First && domains.FindIndex(static domain => domain.Statistics.Id == 0) is > 0 and int at)
        {
            TopDomain dom0 = domains[at];
            domains.RemoveAt(at);
            domains.Insert(0, dom0);
        }

        return domains;
    }
}
