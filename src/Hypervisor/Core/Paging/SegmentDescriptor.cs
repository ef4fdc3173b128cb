using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// Which segment descriptors a PV guest may have: code and data of ring 3, and what is not present.
/// <code>
///  63    56 55    52 51     48 47  46 45 44 43     40 39    16 15         0
/// +--------+--------+---------+---+-----+--+---------+--------+------------+
/// | base   | G D L A| limit   | P | DPL | S| type    | base   | limit      |
/// +--------+--------+---------+---+-----+--+---------+--------+------------+
/// </code>
/// </summary>
internal static class SegmentDescriptor
{
    private const ulong IsPresent = 1ul << 47;
    private const ulong IsCodeOrData = 1ul << 44;
    private const ulong Ring3 = 3ul << 45;
    private const int TypeShift = 40;

    /// <summary>Checks a descriptor, and raises the privilege level of a lawful one to 3.</summary>
    /// <remarks>Of system descriptors only type 0 passes, which faults when it is loaded: gates and task states are the hypervisor's.</remarks>
    public static bool TryFix(ref ulong descriptor)
    {
        if ((descriptor & IsPresent) == 0)
            return true;
        if ((descriptor & IsCodeOrData) == 0)
            return ((descriptor >> TypeShift) & 15) == 0;
        descriptor |= Ring3;
        return true;
    }

    /// <summary>Checks and fixes all descriptors of a frame that no one can write.</summary>
    public static bool ValidatePage(MachineMemory memory, Mfn frame)
    {
        for (ulong address = frame.Address; address < (frame + 1).Address; address += sizeof(ulong))
        {
            ulong descriptor = memory.ReadUInt64(address);
            ulong fixedUp = descriptor;
            if (!TryFix(ref fixedUp))
                return false;
            if (fixedUp != descriptor)
                memory.WriteUInt64(address, fixedUp);
        }

        return true;
    }
}
