using Xen.Abi;

namespace Xen.Builder.Images;

/// <summary>Whether notes are those of a kernel that a PV domain can start.</summary>
internal static class KernelNotesCheck
{
    /// <summary>End of the lower half of the address space.</summary>
    private const ulong CanonicalLow = 0x0000_8000_0000_0000;

    /// <exception cref="ImageException">PVH only, for another Xen or another loader.</exception>
    public static void Check(string file, XenNotes notes)
    {
        if (notes.Phys32Entry is not null && notes.Entry is null)
        {
            throw new ImageException(
                file,
                "it supports PVH only, not PV (it has a PHYS32_ENTRY note and no ENTRY note)",
                "use a kernel built with CONFIG_XEN_PV, such as Debian's");
        }

        if (notes.XenVersion?.StartsWith("xen-3.0", StringComparison.Ordinal) != true)
        {
            throw new ImageException(
                file,
                notes.XenVersion is null
                    ? "it does not say for which version of Xen it was built"
                    : $"it was built for '{Printable.Quote(notes.XenVersion)}'",
                "use a kernel whose XEN_VERSION note says xen-3.0");
        }

        if (notes.Loader?.StartsWith("generic", StringComparison.Ordinal) != true
            && notes.GuestOs?.StartsWith("linux", StringComparison.Ordinal) != true)
        {
            throw new ImageException(file, "it asks for a loader of its own", "use a kernel whose LOADER note says generic");
        }

        if (notes.HvStartLow > HypervisorLayout.VirtStart)
        {
            throw ImageException.Malformed(
                file,
                $"it wants the hypervisor to begin no lower than {notes.HvStartLow:x} (HV_START_LOW), and it begins at {HypervisorLayout.VirtStart:x}");
        }
    }

    /// <summary>Whether a guest may map the addresses from <paramref name="start"/> to <paramref name="last"/>, the last byte.</summary>
    public static bool IsGuestRange(ulong start, ulong last)
    {
        if (last < start)
        {
            return false;
        }

        var low = last < CanonicalLow;
        var high = start >= HypervisorLayout.VirtEnd;
        return low || high;
    }
}
