using System.Buffers.Binary;

namespace Xen.Cpu;

/// <summary>
/// The environment that FNSTENV and FNSAVE store: seven words of 32 bits (of 16 with an operand-size prefix), of which the upper halves of the
/// first three read as ones: control, status, tags, instruction offset, selector and opcode, operand offset, selector. Selectors are 0, as on
/// current processors.
/// </summary>
internal static class X87Environment
{
    public const int Size = 28, NarrowSize = 14, RegistersSize = 80;

    private const ushort DefaultControl = 0x37F, ControlMask = 0x1F7F, ControlFixed = 0x40;

    /// <summary>FNINIT.</summary>
    public static void Initialise(ref RegisterFile r)
    {
        r.Fcw = DefaultControl;
        r.Fsw = 0;
        r.Ftw = 0;
        r.Fop = 0;
        r.Fip = 0;
        r.Fdp = 0;
    }

    /// <summary>FLDCW: exceptions that are no longer masked become pending.</summary>
    public static void SetControl(ref RegisterFile r, ushort value)
    {
        r.Fcw = (ushort)((value & ControlMask) | ControlFixed);
        X87Stack.Summarise(ref r);
    }

    public static void Store(ref RegisterFile r, Span<byte> image)
    {
        Span<ushort> words = [r.Fcw, r.Fsw, FullTags(ref r)];
        if (image.Length == NarrowSize)
        {
            image.Clear();
            for (int i = 0; i < words.Length; i++)
                BinaryPrimitives.WriteUInt16LittleEndian(image[(i * 2)..], words[i]);
            BinaryPrimitives.WriteUInt16LittleEndian(image[6..], (ushort)r.Fip);
            BinaryPrimitives.WriteUInt16LittleEndian(image[10..], (ushort)r.Fdp);
            return;
        }

        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(image[(i * 4)..], 0xFFFF_0000 | words[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(image[12..], (uint)r.Fip);
        BinaryPrimitives.WriteUInt32LittleEndian(image[16..], (uint)r.Fop << 16);
        BinaryPrimitives.WriteUInt32LittleEndian(image[20..], (uint)r.Fdp);
        BinaryPrimitives.WriteUInt32LittleEndian(image[24..], 0xFFFF_0000);
    }

    public static void Load(ref RegisterFile r, ReadOnlySpan<byte> image)
    {
        int step = image.Length == NarrowSize ? 2 : 4;
        r.Fsw = BinaryPrimitives.ReadUInt16LittleEndian(image[step..]);
        ushort tags = BinaryPrimitives.ReadUInt16LittleEndian(image[(2 * step)..]);
        r.Ftw = 0;
        for (int i = 0; i < 8; i++)
        {
            if (((tags >> (i * 2)) & 3) != 3)
                r.Ftw |= (byte)(1 << i);
        }

        r.Fip = step == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(image[6..]) : BinaryPrimitives.ReadUInt32LittleEndian(image[12..]);
        r.Fdp = step == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(image[10..]) : BinaryPrimitives.ReadUInt32LittleEndian(image[20..]);
        r.Fop = step == 2 ? (ushort)0 : (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(image[18..]) & 0x7FF);
        SetControl(ref r, BinaryPrimitives.ReadUInt16LittleEndian(image));
    }

    /// <summary>The registers in stack order, ten bytes each.</summary>
    public static void StoreRegisters(ref RegisterFile r, Span<byte> image)
    {
        for (int i = 0; i < 8; i++)
        {
            ref Float80 st = ref X87Stack.St(ref r, i);
            BinaryPrimitives.WriteUInt64LittleEndian(image[(i * 10)..], st.Significand);
            BinaryPrimitives.WriteUInt16LittleEndian(image[((i * 10) + 8)..], st.SignExponent);
        }
    }

    public static void LoadRegisters(ref RegisterFile r, ReadOnlySpan<byte> image)
    {
        for (int i = 0; i < 8; i++)
        {
            ref Float80 st = ref X87Stack.St(ref r, i);
            st.Significand = BinaryPrimitives.ReadUInt64LittleEndian(image[(i * 10)..]);
            st.SignExponent = BinaryPrimitives.ReadUInt16LittleEndian(image[((i * 10) + 8)..]);
        }
    }

    /// <summary>Two bits per physical register: 0 valid, 1 zero, 2 special, 3 empty.</summary>
    private static ushort FullTags(ref RegisterFile r)
    {
        int tags = 0;
        for (int i = 0; i < 8; i++)
        {
            ref Float80 register = ref r.X87[i];
            int exponent = register.SignExponent & 0x7FFF;
            int tag = ((r.Ftw >> i) & 1) == 0 ? 3
                : exponent == 0 && register.Significand == 0 ? 1
                : exponent is 0 or 0x7FFF || (register.Significand & FloatValue.IntegerBit) == 0 ? 2
                : 0;
            tags |= tag << (i * 2);
        }

        return (ushort)tags;
    }
}
