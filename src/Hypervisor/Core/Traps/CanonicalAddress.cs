namespace Xen.Core;

/// <summary>Addresses that a processor with 48-bit linear addresses takes.</summary>
internal static class CanonicalAddress
{
    /// <summary>Whether bits 63 to 47 are equal.</summary>
    public static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;
}
