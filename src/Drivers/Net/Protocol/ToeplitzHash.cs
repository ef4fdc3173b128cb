namespace Xen.Drivers.Net.Protocol;

/// <summary>The hash by which a frontend steers its flows to its queues. <b>Source</b>: io/netif.h, "Hash algorithms".</summary>
public static class ToeplitzHash
{
    /// <summary>The hash of some bytes: the exclusive or of the key's 32-bit windows that begin where the data has a one.</summary>
    /// <param name="key">The key; what it lacks is zero.</param>
    /// <param name="data">Addresses and ports, as they are in the packet.</param>
    public static uint Compute(ReadOnlySpan<byte> key, ReadOnlySpan<byte> data)
    {
        // The upper 32 bits of the window are the ones that count; the lower ones are the key's next bits.
        ulong window = 0;
        for (int i = 0; i < 8; i++)
            window = (window << 8) | KeyByte(key, i);
        ulong hash = 0;
        for (int i = 0; i < data.Length; i++)
        {
            for (int bit = 7; bit >= 0; bit--)
            {
                hash ^= window & (0 - (ulong)((data[i] >> bit) & 1));
                window <<= 1;
            }

            window |= KeyByte(key, 8 + i);
        }

        return (uint)(hash >> 32);
    }

    private static byte KeyByte(ReadOnlySpan<byte> key, int index) => index < key.Length ? key[index] : (byte)0;
}
