using Xen.Abi;

namespace Xen.XenStore;

/// <summary>Who asks.</summary>
/// <param name="Domain">The domain; Dom0 may do everything.</param>
/// <param name="Target">A domain with all of whose rights this one acts too (SET_TARGET), or null.</param>
internal readonly record struct StoreIdentity(DomId Domain, DomId? Target = null)
{
    public bool IsPrivileged => Domain == DomId.Dom0;

    public bool Is(DomId domain) => domain == Domain || domain == Target;
}

/// <summary>What somebody may do with a node.</summary>
[Flags]
internal enum NodeRights
{
    None = 0,
    Read = 1,
    Write = 2,

    /// <summary>May change permissions.</summary>
    Owner = 4,

    All = Read | Write | Owner,
}
