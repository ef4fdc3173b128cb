using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>Where indirect branches go, by some bits of the guest address. The entry of the block that is reached checks the rest.</summary>
internal sealed class JumpTable
{
    private const int IndexBits = 16, FirstBit = 2;

    /// <summary>The bits of the address that choose. An entry is twice as far from the table's start.</summary>
    public const int Mask = ((1 << IndexBits) - 1) << FirstBit;

    private readonly nint[] _entries = GC.AllocateUninitializedArray<nint>(1 << IndexBits, pinned: true);
    private readonly nint _nobody;

    /// <param name="nobody">Where a branch goes that nothing is known of.</param>
    public JumpTable(nint nobody)
    {
        _nobody = nobody;
        Array.Fill(_entries, nobody);
    }

    /// <summary>Address of the first entry.</summary>
    public nint Address => Marshal.UnsafeAddrOfPinnedArrayElement(_entries, 0); // SAFETY: the array is pinned, and the table keeps it.

    /// <summary>Forgets what leads into a range of host addresses.</summary>
    public void Forget(nint start, nint end)
    {
        nuint length = (nuint)(end - start);
        foreach (ref nint entry in _entries.AsSpan())
        {
            if ((nuint)(entry - start) < length)
                entry = _nobody;
        }
    }

    public void Set(ulong rip, nint entry) => _entries[((int)rip & Mask) >> FirstBit] = entry;
}
