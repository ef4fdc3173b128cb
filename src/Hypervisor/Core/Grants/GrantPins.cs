using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// How often a grant is in use, by kind: four counters in a word.
/// <code>
///  63           48 47            32 31          16 15           0
/// +---------------+----------------+--------------+--------------+
/// | device writers| device readers | host writers | host readers |
/// +---------------+----------------+--------------+--------------+
/// </code>
/// The highest bit of a counter stays clear: an entry that has it set is not pinned once more.
/// </summary>
internal static class GrantPins
{
    public const ulong HostRead = 1;
    public const ulong HostWrite = 1ul << 16;
    public const ulong DeviceRead = 1ul << 32;
    public const ulong DeviceWrite = 1ul << 48;

    /// <summary>All writers.</summary>
    public const ulong Writers = 0xFFFF_0000_FFFF_0000;

    /// <summary>Set when a counter is full.</summary>
    public const ulong Full = 0x8000_8000_8000_8000;

    /// <summary>What a mapping of these flags counts as.</summary>
    public static ulong Of(GrantMapFlags flags)
    {
        bool readOnly = (flags & GrantMapFlags.Readonly) != 0;
        ulong pins = (flags & GrantMapFlags.HostMap) == 0 ? 0 : readOnly ? HostRead : HostWrite;
        return pins + ((flags & GrantMapFlags.DeviceMap) == 0 ? 0 : readOnly ? DeviceRead : DeviceWrite);
    }

    /// <summary>What a copy counts as.</summary>
    public static ulong OfCopy(bool readOnly) => readOnly ? HostRead : HostWrite;

    /// <summary>The sum of the counters of readers, or of writers.</summary>
    public static int Count(ulong pins, bool writers)
    {
        int shift = writers ? 16 : 0;
        return (ushort)(pins >> shift) + (ushort)(pins >> (shift + 32));
    }
}

/// <summary>What the hypervisor knows of a grant that is in use. The guest's entry may say something else by now; this is what counts.</summary>
internal struct ActiveGrant
{
    /// <summary>See <see cref="GrantPins"/>; 0 when the grant is not in use, and the rest means nothing.</summary>
    public ulong Pins;

    public Mfn Frame;

    /// <summary>Of a transitive grant: whose grant it passes on.</summary>
    public GrantTable? Origin;

    /// <summary>Of a transitive grant: which.</summary>
    public GrantRef OriginRef;

    /// <summary>Who uses it.</summary>
    public DomId User;

    /// <summary>The part of the page that is granted. <b>Units</b>: bytes.</summary>
    public ushort Start;

    /// <inheritdoc cref="Start"/>
    public ushort Length;

    /// <summary>It is not a grant of a whole page of the granter itself: it may be copied, not mapped.</summary>
    public bool IsPart;
}

/// <summary>A page, or part of one, that a copy may use until <see cref="GrantTable.EndCopy"/>.</summary>
/// <param name="Owner">Whose frame it is; of a transitive grant not the granter.</param>
/// <param name="Frame">The frame.</param>
/// <param name="Start">Where the part begins. <b>Units</b>: bytes.</param>
/// <param name="Length">How long it is. <b>Units</b>: bytes.</param>
internal readonly record struct GrantWindow(Domain Owner, Mfn Frame, int Start, int Length)
{
    public bool Holds(int offset, int length) => offset >= Start && offset + length <= Start + Length;
}
