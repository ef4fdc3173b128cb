using Xen.Abi;

namespace Xen.Core;

/// <summary>Event channels across domains.</summary>
public sealed partial class Machine
{
    /// <summary>The ports of domain 0, whose services are code of this process.</summary>
    public EventChannelTable Dom0Events { get; } = new(DomId.Dom0);

    /// <summary>The event channels of a domain, or null if there is no such domain.</summary>
    public EventChannelTable? FindEvents(DomId id) => FindDomain(id)?.Events ?? (id == DomId.Dom0 ? Dom0Events : null);
}
