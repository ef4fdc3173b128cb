namespace Xen.Cpu;

/// <summary>
/// A segment descriptor.
/// <code>
///  63      56 55 54 53 52 51    48 47 46 45 44 43  40 39      32 31         16 15          0
/// +----------+--+--+--+--+--------+--+-----+--+------+----------+-------------+-------------+
/// | base 31: | G|DB| L|  | limit  | P| DPL | S| type | base 23: | base 15:0   | limit 15:0  |
/// |       24 |  |  |  |  |  19:16 |  |     |  |      |       16 |             |             |
/// +----------+--+--+--+--+--------+--+-----+--+------+----------+-------------+-------------+
/// </code>
/// </summary>
internal readonly record struct Descriptor(ulong Raw)
{
    private const int TypeCode = 8, TypeWritable = 2, TypeReadable = 2, TypeConforming = 4;

    public int Type => (int)(Raw >> 40) & 15;

    public bool IsSegment => (Raw & (1ul << 44)) != 0;

    public int Dpl => (int)(Raw >> 45) & 3;

    public bool IsPresent => (Raw & (1ul << 47)) != 0;

    public bool IsLong => (Raw & (1ul << 53)) != 0;

    public bool IsBig => (Raw & (1ul << 54)) != 0;

    public bool IsCode => IsSegment && (Type & TypeCode) != 0;

    public bool IsConforming => IsCode && (Type & TypeConforming) != 0;

    public bool IsReadable => IsSegment && (!IsCode || (Type & TypeReadable) != 0);

    public bool IsWritable => IsSegment && !IsCode && (Type & TypeWritable) != 0;

    public ulong Base => ((Raw >> 16) & 0xFF_FFFF) | ((Raw >> 56) << 24);

    /// <summary><b>Units</b>: bytes, the last offset.</summary>
    public uint Limit
    {
        get
        {
            uint limit = (uint)(Raw & 0xFFFF) | ((uint)(Raw >> 32) & 0xF_0000);
            return (Raw & (1ul << 55)) != 0 ? (limit << 12) | 0xFFF : limit;
        }
    }

    /// <summary>The part that LAR shows.</summary>
    public uint AccessRights => (uint)(Raw >> 32) & 0x00FF_FF00;
}

/// <summary>
/// Segment selectors as ring 3 may load them. The flat selectors that Xen keeps in every guest's GDT are known here;
/// others are looked up by the environment.
/// </summary>
internal static class Selectors
{
    private const int Ring3 = 3;
    private const ulong Code64 = 0x00AF_FB00_0000_FFFF, Code32 = 0x00CF_FB00_0000_FFFF, Data = 0x00CF_F300_0000_FFFF;

    public static bool IsNull(ushort selector) => (selector & 0xFFFC) == 0;

    /// <summary>The error code that names a selector.</summary>
    public static uint ErrorOf(ushort selector) => selector & 0xFFFCu;

    /// <summary>The descriptor of a selector. <b>Source</b>: arch-x86/xen-x86_64.h, FLAT_RING3_CS32 and its neighbours; e033 and e02b are the same descriptors, 33 and 2b what user programs see.</summary>
    public static bool TryDescriptor(VcpuState state, ushort selector, out Descriptor descriptor)
    {
        ulong raw = (selector | 3) switch
        {
            0xE023 or 0x23 => Code32,
            0xE02B or 0x2B => Data,
            0xE033 or 0x33 => Code64,
            _ => 0,
        };
        bool found = raw != 0 || (!IsNull(selector) && state.Environment.TryReadDescriptor(state, selector, out raw));
        descriptor = new Descriptor(raw);
        return found;
    }

    /// <summary>Checks a load of DS, ES, FS or GS; a null selector is lawful and has base 0.</summary>
    /// <returns>0, or the vector of the fault, whose error code is the selector.</returns>
    public static byte CheckData(VcpuState state, ushort selector, out ulong segmentBase)
    {
        segmentBase = 0;
        if (IsNull(selector))
            return 0;
        if (!TryDescriptor(state, selector, out Descriptor descriptor) || !descriptor.IsReadable
            || (descriptor.Dpl < Ring3 && !descriptor.IsConforming))
        {
            return Vector.GeneralProtection;
        }

        segmentBase = descriptor.Base;
        return descriptor.IsPresent ? (byte)0 : Vector.SegmentNotPresent;
    }

    /// <summary>Checks a load of SS: writable data of ring 3.</summary>
    public static byte CheckStack(VcpuState state, ushort selector)
    {
        if (!TryDescriptor(state, selector, out Descriptor descriptor) || (selector & 3) != Ring3 || descriptor.Dpl != Ring3 || !descriptor.IsWritable)
            return Vector.GeneralProtection;
        return descriptor.IsPresent ? (byte)0 : Vector.StackSegment;
    }

    /// <summary>Checks a far transfer to a code segment: 64-bit code of ring 3. This engine has no compatibility mode.</summary>
    public static byte CheckCode(VcpuState state, ushort selector)
    {
        if (!TryDescriptor(state, selector, out Descriptor descriptor) || (selector & 3) != Ring3 || !descriptor.IsCode
            || !descriptor.IsLong || descriptor.IsBig || (descriptor.Dpl != Ring3 && !descriptor.IsConforming))
        {
            return Vector.GeneralProtection;
        }

        return descriptor.IsPresent ? (byte)0 : Vector.SegmentNotPresent;
    }

    /// <summary>Whether LAR, LSL, VERR and VERW see the descriptor at all.</summary>
    public static bool IsVisible(VcpuState state, ushort selector, out Descriptor descriptor) =>
        TryDescriptor(state, selector, out descriptor) && (descriptor.IsConforming || (descriptor.Dpl == Ring3));
}
