namespace Xen.Service;

/// <summary>What the client at the other end of a connection may do; each includes those before it.</summary>
internal enum Role
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>See what there is, and follow consoles without typing.</summary>
    Reader,

    /// <summary>Everything.</summary>
    Operator,
}
