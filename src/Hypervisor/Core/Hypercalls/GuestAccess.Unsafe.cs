using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Xen.Core;

/// <summary>Copies of whole ABI structures.</summary>
public static class GuestStructs
{
    /// <summary>Size of a structure. <b>Units</b>: bytes.</summary>
    public static int SizeOf<T>()
        where T : unmanaged => Unsafe.SizeOf<T>();

    /// <summary>The bytes of a structure.</summary>
    public static byte[] BytesOf<T>(in T value)
        where T : unmanaged
    {
        // SAFETY: value is viewed as its own bytes, for reading.
        return MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();
    }

    /// <summary>Copies a structure from the guest, once.</summary>
    public static bool TryRead<T>(Vcpu vcpu, ulong address, out T value)
        where T : unmanaged
    {
        // SAFETY: value is a local of the caller, viewed as its own bytes.
        Unsafe.SkipInit(out value);
        return GuestAccess.Read(vcpu, address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    /// <summary>Copies a structure from the guest, once, if a result can be written back into it afterwards.</summary>
    public static bool TryReadForUpdate<T>(Vcpu vcpu, ulong address, out T value)
        where T : unmanaged =>
        TryRead(vcpu, address, out value) && GuestAccess.CanWrite(vcpu, address, Unsafe.SizeOf<T>());

    /// <summary>Copies a structure to the guest.</summary>
    public static bool TryWrite<T>(Vcpu vcpu, ulong address, in T value)
        where T : unmanaged
    {
        // SAFETY: value is viewed as its own bytes, for reading.
        return GuestAccess.Write(vcpu, address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
    }
}
