namespace Xen.Cpu;

/// <summary>
/// What an access that missed the TLB wants, as emitted code tells it:
/// <code>
///  32      31          0
/// +-------+------------+
/// | write | bytes      |
/// +-------+------------+
/// </code>
/// </summary>
internal static class MissRequest
{
    private const int WriteBit = 32;

    public static ulong Of(int size, bool writes) => (uint)size | (writes ? 1ul << WriteBit : 0);

    public static int SizeOf(ulong request) => (int)(uint)request;

    public static bool Writes(ulong request) => (request >> WriteBit) != 0;
}
