using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>LDMXCSR: a reserved bit raises #GP(0).</summary>
internal readonly struct LoadMxcsr : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Load(Operand.Address(ref r, ref op), out uint value))
            return ref cpu.Fault(ref r, ref op);
        if ((value & ~FxImage.MxcsrMask) != 0)
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        r.Mxcsr = value;
        return ref Handler.Next(ref op);
    }
}

/// <summary>STMXCSR.</summary>
internal readonly struct StoreMxcsr : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Store(Operand.Address(ref r, ref op), r.Mxcsr))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FXSAVE, FXSAVE64 (Immediate is 1).</summary>
internal readonly struct FxSave : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if ((address & 15) != 0)
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        Span<byte> image = stackalloc byte[FxImage.Written];
        FxImage.Save(ref r, image, op.Immediate != 0);
        if (!cpu.WriteBytes(address, image))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FXRSTOR, FXRSTOR64 (Immediate is 1).</summary>
internal readonly struct FxRestore : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if ((address & 15) != 0)
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        Span<byte> image = stackalloc byte[FxImage.Size];
        if (!cpu.ReadBytes(address, image))
            return ref cpu.Fault(ref r, ref op);
        if (!FxImage.TryRestore(ref r, image, op.Immediate != 0))
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        return ref Handler.Next(ref op);
    }
}

/// <summary>
/// The FXSAVE image.
/// <code>
///   0  FCW | FSW | FTW (abridged) | FOP      32  ST0 to ST7, 16 bytes each
///   8  FIP                                  160  xmm0 to xmm15
///  16  FDP                                  416  reserved, not written
///  24  MXCSR | MXCSR_MASK                   512
/// </code>
/// The form without REX.W has 32-bit pointers, and selectors that current processors save as 0.
/// </summary>
public static class FxImage
{
    public const int Size = 512;

    /// <summary>How much of it FXSAVE writes.</summary>
    public const int Written = 416;

    /// <summary>The bits of MXCSR that exist.</summary>
    public const uint MxcsrMask = 0xFFFF;

    private const int Registers = 32, Vectors = 160;

    /// <summary>Writes the x87 and SSE state.</summary>
    public static void Save(ref RegisterFile r, Span<byte> image, bool wide)
    {
        image[..Written].Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(image, r.Fcw);
        BinaryPrimitives.WriteUInt16LittleEndian(image[2..], r.Fsw);
        image[4] = r.Ftw;
        BinaryPrimitives.WriteUInt16LittleEndian(image[6..], r.Fop);
        BinaryPrimitives.WriteUInt64LittleEndian(image[8..], wide ? r.Fip : (uint)r.Fip);
        BinaryPrimitives.WriteUInt64LittleEndian(image[16..], wide ? r.Fdp : (uint)r.Fdp);
        BinaryPrimitives.WriteUInt32LittleEndian(image[24..], r.Mxcsr);
        BinaryPrimitives.WriteUInt32LittleEndian(image[28..], MxcsrMask);
        for (int i = 0; i < 8; i++)
        {
            ref Float80 st = ref r.X87[((r.Fsw >> 11) + i) & 7];
            BinaryPrimitives.WriteUInt64LittleEndian(image[(Registers + (i * 16))..], st.Significand);
            BinaryPrimitives.WriteUInt16LittleEndian(image[(Registers + (i * 16) + 8)..], st.SignExponent);
        }

        for (int i = 0; i < 16; i++)
            r.Xmm[i].CopyTo(image[(Vectors + (i * 16))..]);
    }

    /// <summary>Takes the state from an image. False: its MXCSR has bits that do not exist, and nothing changed.</summary>
    public static bool TryRestore(ref RegisterFile r, ReadOnlySpan<byte> image, bool wide)
    {
        uint mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(image[24..]);
        if ((mxcsr & ~MxcsrMask) != 0)
            return false;
        r.Mxcsr = mxcsr;
        RestoreX87(ref r, image, wide);
        for (int i = 0; i < 16; i++)
            r.Xmm[i] = Vector128.Create(image.Slice(Vectors + (i * 16), 16));
        return true;
    }

    /// <summary>Takes the x87's part from an image.</summary>
    public static void RestoreX87(ref RegisterFile r, ReadOnlySpan<byte> image, bool wide)
    {
        r.Fcw = (ushort)((BinaryPrimitives.ReadUInt16LittleEndian(image) & 0x1F7F) | 0x40);
        r.Fsw = BinaryPrimitives.ReadUInt16LittleEndian(image[2..]);
        r.Ftw = image[4];
        r.Fop = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(image[6..]) & 0x7FF);
        ulong fip = BinaryPrimitives.ReadUInt64LittleEndian(image[8..]);
        ulong fdp = BinaryPrimitives.ReadUInt64LittleEndian(image[16..]);
        r.Fip = wide ? fip : (uint)fip;
        r.Fdp = wide ? fdp : (uint)fdp;
        for (int i = 0; i < 8; i++)
        {
            ref Float80 st = ref r.X87[((r.Fsw >> 11) + i) & 7];
            st.Significand = BinaryPrimitives.ReadUInt64LittleEndian(image[(Registers + (i * 16))..]);
            st.SignExponent = BinaryPrimitives.ReadUInt16LittleEndian(image[(Registers + (i * 16) + 8)..]);
        }
    }
}
