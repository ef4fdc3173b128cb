using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>Where indirect branches go, by some bits of the guest address. The entry of the block that is reached checks the rest.</summary>
internal sealed class JumpTable
{
    private const int IndexBits = 16, FirstBit = 2;

    /// <summary>The bits of the address that choose.</summary>
    public const ulong Mask = ((1ul << IndexBits) - 1) << FirstBit;

    private readonly nint[] _entries = GC.AllocateUninitializedArray<nint>(1 << IndexBits, pinned: true);
    private readonly nint _nobody;

    /// <param name="nobody">Where a branch goes that nothing is known of.</param>
    public JumpTable(nint nobody)
    {
        _nobody = nobody;
        Clear();
    }

    /// <summary>Address of the first entry; the table is pinned.</summary>
    public nint Address => Marshal.UnsafeAddrOfPinnedArrayElement(_entries, 0);

    public void Clear() => Array.Fill(_entries, _nobody);

    public void Set(ulong rip, nint entry) => _entries[(rip & Mask) >> FirstBit] = entry;
}
