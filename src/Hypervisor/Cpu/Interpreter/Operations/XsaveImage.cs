using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>
/// The XSAVE image, standard form.
/// <code>
///    0  the FXSAVE image                        576  upper halves of ymm0 to ymm15
///  512  header: XSTATE_BV | 0 | 0 | reserved    832
/// </code>
/// </summary>
public static class XsaveImage
{
    /// <summary>Where parts begin, and how long they are. <b>Units</b>: bytes.</summary>
    public const int Header = 512, UpperHalves = 576, UpperHalvesSize = 256;

    /// <summary>Size of an image with everything. <b>Units</b>: bytes.</summary>
    public const int Size = UpperHalves + UpperHalvesSize;

    internal const int Alignment = 64;

    private const int Pointers = 24, Mxcsr = 24, Registers = 32, Vectors = 160;

    /// <summary>Bytes of the header, behind XSTATE_BV, that must be zero: XCOMP_BV and what is reserved.</summary>
    private const int MustBeZero = 16;

    /// <summary>The components that an instruction names in edx:eax, as far as they are enabled.</summary>
    internal static XsaveComponents Requested(Interpreter cpu, ref RegisterFile r) =>
        (XsaveComponents)(((ulong)(uint)r.Gpr[2] << 32) | (uint)r.Gpr[0]) & cpu.State.Xcr0;

    /// <summary>The components that are not known to be in their initial state.</summary>
    internal static XsaveComponents InUse(ref RegisterFile r) =>
        XsaveComponents.X87 | XsaveComponents.Sse | (r.UpperHalvesInUse != 0 && !IsZero(ref r) ? XsaveComponents.Avx : XsaveComponents.None);

    internal static bool WriteLegacy(Interpreter cpu, ulong address, ReadOnlySpan<byte> image, XsaveComponents wanted)
    {
        const XsaveComponents Whole = XsaveComponents.X87 | XsaveComponents.Sse;
        if ((wanted & Whole) == Whole)
            return cpu.WriteBytes(address, image);
        bool x87 = (wanted & XsaveComponents.X87) != 0;
        if (x87 && !(cpu.WriteBytes(address, image[..Pointers]) && cpu.WriteBytes(address + Registers, image[Registers..Vectors])))
            return false;
        if ((wanted & (XsaveComponents.Sse | XsaveComponents.Avx)) != 0 && !cpu.WriteBytes(address + Mxcsr, image[Mxcsr..Registers]))
            return false;
        return (wanted & XsaveComponents.Sse) == 0 || cpu.WriteBytes(address + Vectors, image[Vectors..]);
    }

    internal static bool WriteUpperHalves(Interpreter cpu, ref RegisterFile r, ulong address)
    {
        Span<byte> upper = stackalloc byte[UpperHalvesSize];
        for (int i = 0; i < 16; i++)
            r.UpperHalves[i].CopyTo(upper[(i * 16)..]);
        return cpu.WriteBytes(address, upper);
    }

    /// <summary>Whether XRSTOR takes an image: nothing reserved is set, no component is there that is not enabled.</summary>
    internal static bool IsLawful(ReadOnlySpan<byte> image, XsaveComponents enabled, XsaveComponents wanted, out XsaveComponents present)
    {
        present = (XsaveComponents)BinaryPrimitives.ReadUInt64LittleEndian(image[Header..]);
        bool loadsControl = (wanted & (XsaveComponents.Sse | XsaveComponents.Avx)) != 0;
        return (present & ~enabled) == 0
            && !image.Slice(Header + sizeof(ulong), MustBeZero).ContainsAnyExcept((byte)0)
            && (!loadsControl || (BinaryPrimitives.ReadUInt32LittleEndian(image[Mxcsr..]) & ~FxImage.MxcsrMask) == 0);
    }

    /// <summary>Loads the components that are wanted: from the image if they are in it, else their initial state.</summary>
    internal static void Restore(
        ref RegisterFile r, ReadOnlySpan<byte> image, ReadOnlySpan<byte> upper, XsaveComponents wanted, XsaveComponents present, bool wide)
    {
        const ushort InitialControl = 0x37F;
        if ((wanted & (XsaveComponents.Sse | XsaveComponents.Avx)) != 0)
            r.Mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(image[Mxcsr..]);
        if ((wanted & XsaveComponents.X87) != 0)
        {
            if ((present & XsaveComponents.X87) != 0)
                FxImage.RestoreX87(ref r, image, wide);
            else
                (r.Fcw, r.Fsw, r.Ftw, r.Fop, r.Fip, r.Fdp, r.X87) = (InitialControl, 0, 0, 0, 0, 0, default);
        }

        if ((wanted & XsaveComponents.Sse) != 0)
        {
            for (int i = 0; i < 16; i++)
                r.Xmm[i] = (present & XsaveComponents.Sse) != 0 ? Vector128.Create(image.Slice(Vectors + (i * 16), 16)) : default;
        }

        if ((wanted & XsaveComponents.Avx) != 0)
        {
            bool there = (present & XsaveComponents.Avx) != 0;
            for (int i = 0; i < 16; i++)
                r.UpperHalves[i] = there ? Vector128.Create(upper.Slice(i * 16, 16)) : default;
            r.UpperHalvesInUse = there && !IsZero(ref r) ? 1u : 0;
        }
    }

    private static bool IsZero(ref RegisterFile r)
    {
        Vector128<byte> all = default;
        for (int i = 0; i < 16; i++)
            all |= r.UpperHalves[i];
        return all == default;
    }
}
