namespace Xen.Core;

/// <summary>A guest's bitmap of vCPUs that are to be flushed.</summary>
internal static class VcpuMask
{
    /// <summary>Most vCPUs that a domain can have.</summary>
    private const int MostWords = 8192 / 64;

    /// <summary>Copies the bitmap and flushes whom it names. False when it cannot be read.</summary>
    public static bool TryFlush(Vcpu vcpu, ulong address)
    {
        int words = Math.Min((vcpu.Domain.Vcpus.Count + 63) / 64, MostWords);
        Span<ulong> mask = stackalloc ulong[MostWords];
        for (int i = 0; i < words; i++)
        {
            if (!GuestStructs.TryRead(vcpu, address + ((ulong)i * sizeof(ulong)), out mask[i]))
                return false;
        }

        vcpu.Domain.Flushes.FlushMask(vcpu, mask[..words]);
        return true;
    }
}
