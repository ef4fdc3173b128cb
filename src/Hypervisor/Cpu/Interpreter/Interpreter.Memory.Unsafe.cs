using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>The fast paths of memory access: one look into the TLB.</summary>
public sealed unsafe partial class Interpreter
{
    private SoftTlb _tlb = null!;
    private TlbEntry* _entries;
    private ulong _stamp;

    /// <summary>Whether the whole operand lies on a page that the TLB has for reading.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsReadable<T>(ulong address)
        where T : unmanaged => address + Entry(address)->ReadBias <= (ulong)(Page.Size - sizeof(T));

    /// <summary>Whether the whole operand lies on a page that the TLB has for writing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsWritable<T>(ulong address)
        where T : unmanaged => address + Entry(address)->WriteBias <= (ulong)(Page.Size - sizeof(T));

    /// <summary>
    /// The operand in place, when <see cref="IsReadable{T}"/> or <see cref="IsWritable{T}"/> has said that it can be had. The question and the
    /// access are two calls, because the compiler makes one look-up and one jump of them, and an operation without a slow call in it needs no stack frame.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref T InPlace<T>(ulong address)
        where T : unmanaged
    {
        // SAFETY: the tag that was compared says that the page maps to host memory at address + Addend. The reference is used
        // before the next look at requests, so that the page stays.
        return ref Unsafe.AsRef<T>((void*)(Entry(address)->Addend + (nint)address));
    }

    /// <summary>Reads an operand. False: the fault is recorded, leave by <see cref="Fault(ref RegisterFile, ref MicroOp)"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Load<T>(ulong address, out T value)
        where T : unmanaged
    {
        if (!IsReadable<T>(address))
            return LoadSlow(address, out value);
        value = InPlace<T>(address);
        return true;
    }

    /// <summary>Writes an operand. False: the fault is recorded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Store<T>(ulong address, T value)
        where T : unmanaged
    {
        if (!IsWritable<T>(address))
            return StoreSlow(address, value);
        InPlace<T>(address) = value;
        return true;
    }

    /// <summary>
    /// An operand in place, for read-modify-write: its memory, or a bounce buffer when it crosses pages or is in a page table.
    /// After the change call <see cref="Commit"/>. A null reference: the fault is recorded.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref T Modify<T>(ulong address)
        where T : unmanaged
    {
        if (!IsWritable<T>(address))
            return ref ModifySlow<T>(address);
        return ref InPlace<T>(address);
    }

    /// <summary>
    /// As <see cref="Modify{T}"/>, for an atomic operation. An operand that crosses a cache line gets a bounce buffer: hosts make such
    /// accesses very slow on purpose, or refuse them. Then the operation is atomic only against a change that comes before its end.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref T ModifyLocked<T>(ulong address)
        where T : unmanaged
    {
        if ((address & (CacheLine - 1)) + (ulong)sizeof(T) <= CacheLine)
            return ref Modify<T>(address);
        return ref ModifySplit<T>(address);
    }

    private const ulong CacheLine = 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsFault<T>(ref T operand) => Unsafe.IsNullRef(ref operand);

    /// <summary>The TLB entry that a translation of the address would be in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TlbEntry* Entry(ulong address) => _entries + ((address >> Page.Shift) & (TlbMemory.EntryCount - 1)); // SAFETY: the index is below the count.

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool LoadSlow<T>(ulong address, out T value)
        where T : unmanaged
    {
        // SAFETY: the value is viewed as its own bytes.
        Unsafe.SkipInit(out value);
        return ReadBytes(address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool StoreSlow<T>(ulong address, T value)
        where T : unmanaged
    {
        // SAFETY: the value is viewed as its own bytes. Naturally aligned operands are written in one piece.
        int offset = (int)(address & Page.OffsetMask);
        if (offset + sizeof(T) <= Page.Size)
        {
            if (Translate(address, sizeof(T), MemoryAccess.Write, out nint host))
            {
                Unsafe.WriteUnaligned((void*)host, value);
                return true;
            }

            if (_protected == Mfn.Invalid)
                return false;
        }

        ref T bounce = ref ModifySlow<T>(address);
        if (Unsafe.IsNullRef(ref bounce))
            return false;
        bounce = value;
        return Commit();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref T ModifySlow<T>(ulong address)
        where T : unmanaged
    {
        // SAFETY: the bounce buffer is an array of 64 bytes, larger than any operand.
        if ((int)(address & Page.OffsetMask) + sizeof(T) <= Page.Size && Translate(address, sizeof(T), MemoryAccess.Write, out nint host))
            return ref Unsafe.AsRef<T>((void*)host);
        return ref BeginBounce(address, sizeof(T)) ? ref Unsafe.As<byte, T>(ref _bounce[0]) : ref Unsafe.NullRef<T>();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref T ModifySplit<T>(ulong address)
        where T : unmanaged
    {
        // SAFETY: as in ModifySlow.
        if ((int)(address & Page.OffsetMask) + sizeof(T) > Page.Size || !Translate(address, sizeof(T), MemoryAccess.Write, out _))
            return ref ModifySlow<T>(address);
        return ref BeginBounceBetweenLines(address, sizeof(T)) ? ref Unsafe.As<byte, T>(ref _bounce[0]) : ref Unsafe.NullRef<T>();
    }

    /// <summary>Takes the current mode's TLB, after anything that may have changed its generation.</summary>
    private void UseTlb()
    {
        // SAFETY: the entries are pinned and live as long as the vCPU.
        _tlb = _state.Tlb;
        _entries = _tlb.Entries;
        _stamp = _tlb.Stamp;
    }
}
