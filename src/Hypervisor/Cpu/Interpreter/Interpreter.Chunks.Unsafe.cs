using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>Guest memory in runs of bytes, for string instructions. A run never leaves its page.</summary>
public sealed unsafe partial class Interpreter
{
    /// <summary>
    /// A run of guest memory in place. False: it cannot be had (a fault, a page table); the caller then goes element by element, which says why.
    /// </summary>
    /// <param name="address">Linear address; the run ends on its page.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="write">Whether the run will be written.</param>
    /// <param name="run">The bytes. Valid until the next look at requests.</param>
    internal bool TryRun(ulong address, int length, bool write, out Span<byte> run)
    {
        // SAFETY: as in Load: a matching bias says that the page maps to host memory at address + Addend, and the run is within the page.
        TlbEntry* entry = _entries + ((address >> Page.Shift) & (TlbMemory.EntryCount - 1));
        ulong offset = address + (write ? entry->WriteBias : entry->ReadBias);
        nint host = entry->Addend + (nint)address;
        length = Math.Min(length, Page.Size - (int)(address & Page.OffsetMask));
        if (offset >= Page.Size
            && !Translate(address, length, write ? MemoryAccess.Write : MemoryAccess.Read, out host))
        {
            run = default;
            return false;
        }

        run = new Span<byte>((void*)host, length);
        return true;
    }

    /// <summary>Copies as MOVS going upwards does: element after element, so that a destination a little above its source repeats it.</summary>
    internal static void CopyUp<T>(ReadOnlySpan<byte> source, Span<byte> destination)
        where T : unmanaged
    {
        // SAFETY: both runs have the same length, a multiple of T's size; elements may be misaligned.
        if (!source.Overlaps(destination, out int distance) || distance <= 0)
        {
            source.CopyTo(destination);
            return;
        }

        ref byte from = ref MemoryMarshal.GetReference(source);
        ref byte to = ref MemoryMarshal.GetReference(destination);
        for (int i = 0; i < source.Length; i += sizeof(T))
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref to, i), Unsafe.ReadUnaligned<T>(ref Unsafe.Add(ref from, i)));
    }

    /// <summary>A run as elements.</summary>
    internal static Span<T> Elements<T>(Span<byte> run)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(run); // SAFETY: hosts that run this allow misaligned elements; every bit pattern is a T.
}
