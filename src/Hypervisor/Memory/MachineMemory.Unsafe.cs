using System.Runtime.CompilerServices;
using Xen.Abi;

namespace Xen.Memory;

public sealed unsafe partial class MachineMemory
{
    private SparseMapping? _map;
    private byte* _base;

    /// <summary>Host address of machine address 0. For engines only: a TLB entry adds it to a checked machine address.</summary>
    public nint HostBase => (nint)_base;

    /// <summary>The bytes of one frame.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such frame.</exception>
    public Span<byte> Frame(Mfn frame)
    {
        // SAFETY: the frame lies within the mapping, which lives as long as this object.
        return new Span<byte>(At(frame.Address, Page.Size), Page.Size);
    }

    /// <summary>Reads 8 bytes at a machine address, with acquire semantics; atomic when aligned.</summary>
    public ulong ReadUInt64(ulong machineAddress) => Volatile.Read(ref Unsafe.AsRef<ulong>(At(machineAddress, 8)));

    /// <summary>Writes 8 bytes at a machine address, with release semantics; atomic when aligned.</summary>
    public void WriteUInt64(ulong machineAddress, ulong value) => Volatile.Write(ref Unsafe.AsRef<ulong>(At(machineAddress, 8)), value);

    /// <summary>A reference into a frame, for atomic operations. The address must be aligned to the type's size and the type be 1, 2, 4 or 8 bytes.</summary>
    public ref T Ref<T>(ulong machineAddress)
        where T : unmanaged
    {
        // SAFETY: At checks the range; alignment makes the access atomic and keeps it inside one frame.
        ArgumentOutOfRangeException.ThrowIfNotEqual(machineAddress & ((ulong)sizeof(T) - 1), 0ul, nameof(machineAddress));
        return ref Unsafe.AsRef<T>(At(machineAddress, sizeof(T)));
    }

    /// <summary>Gives the frame's page back to the host; it reads as zeroes from now on.</summary>
    public void Punch(Mfn frame) => Punch(frame, 1);

    /// <summary>Gives the pages of frames that follow each other back to the host; they read as zeroes from now on.</summary>
    public void Punch(Mfn first, ulong count)
    {
        // SAFETY: both ends are checked before the host is asked, so that nothing outside of the mapping can be meant.
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, FrameCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first.Value, FrameCount - count);
        ObjectDisposedException.ThrowIf(_map is null, this);
        if (_map.TryDiscard((nuint)first.Address, (nuint)(count << Page.Shift)))
            return;
        for (ulong i = 0; i < count; i++)
            Frame(first + i).Clear();
    }

    public void Dispose()
    {
        _map?.Dispose();
        _map = null;
        _base = null;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* At(ulong machineAddress, int size)
    {
        // SAFETY: the only place that makes a pointer; anything outside the mapping throws before a pointer exists.
        if (machineAddress > (FrameCount << Page.Shift) - (ulong)size || _base == null)
            ThrowOutside(machineAddress);
        return _base + machineAddress;
    }

    private static void ThrowOutside(ulong machineAddress) =>
        throw new ArgumentOutOfRangeException(nameof(machineAddress), $"machine address {machineAddress:x} is outside of the machine's memory");

    private void Map()
    {
        // SAFETY: the mapping is owned by this object and released once, in Dispose.
        _map = new SparseMapping((nuint)checked(FrameCount << Page.Shift));
        _base = _map.Base;
    }
}
