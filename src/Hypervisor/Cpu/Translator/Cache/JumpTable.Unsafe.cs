using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>
/// Where indirect branches go, by some bits of the guest address. The entry of the block that is reached checks the rest of the address, but not what
/// the page maps to: a table holds only what was looked up since the TLB's last flush.
/// </summary>
internal sealed class JumpTable
{
    private const int IndexBits = 16, FirstBit = 2;

    /// <summary>The bits of the address that choose.</summary>
    public const ulong Mask = ((1ul << IndexBits) - 1) << FirstBit;

    private readonly nint[] _entries = GC.AllocateUninitializedArray<nint>(1 << IndexBits, pinned: true);
    private readonly nint _nobody;

    /// <summary>The entries that were set since the last clearing; may name one twice.</summary>
    private readonly List<ushort> _set = [];

    /// <param name="nobody">Where a branch goes that nothing is known of.</param>
    public JumpTable(nint nobody)
    {
        _nobody = nobody;
        Array.Fill(_entries, nobody);
    }

    /// <summary>Address of the first entry.</summary>
    public nint Address => Marshal.UnsafeAddrOfPinnedArrayElement(_entries, 0); // SAFETY: the array is pinned, and the table keeps it.

    /// <summary>The stamp of the TLB that the entries were looked up with.</summary>
    public ulong Stamp { get; private set; }

    /// <summary>Forgets everything.</summary>
    /// <param name="stamp">The TLB's stamp from now on.</param>
    public void Clear(ulong stamp)
    {
        Stamp = stamp;
        foreach (ushort index in CollectionsMarshal.AsSpan(_set))
            _entries[index] = _nobody;
        _set.Clear();
    }

    public void Set(ulong rip, nint entry)
    {
        if (_set.Count == _entries.Length)
            Clear(Stamp);
        int index = (int)((rip & Mask) >> FirstBit);
        _entries[index] = entry;
        _set.Add((ushort)index);
    }
}
