using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Xen.Cpu.Tests;

/// <summary>The 512 bytes of FXSAVE64, from and to a register file: the image has x87 registers in stack order, the file in physical order.</summary>
internal static class SiliconFxImage
{
    public static void Store(in RegisterFile r, Span<byte> image)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(image, r.Fcw);
        BinaryPrimitives.WriteUInt16LittleEndian(image[2..], r.Fsw);
        image[4] = r.Ftw;
        BinaryPrimitives.WriteUInt16LittleEndian(image[6..], r.Fop);
        BinaryPrimitives.WriteUInt64LittleEndian(image[8..], r.Fip);
        BinaryPrimitives.WriteUInt64LittleEndian(image[16..], r.Fdp);
        BinaryPrimitives.WriteUInt32LittleEndian(image[24..], r.Mxcsr);
        int top = (r.Fsw >> 11) & 7;
        for (int i = 0; i < 8; i++)
        {
            Float80 value = r.X87[(top + i) & 7];
            BinaryPrimitives.WriteUInt64LittleEndian(image[(32 + (i * 16))..], value.Significand);
            BinaryPrimitives.WriteUInt16LittleEndian(image[(40 + (i * 16))..], value.SignExponent);
        }

        for (int i = 0; i < 16; i++)
            r.Xmm[i].CopyTo(image[(160 + (i * 16))..]);
    }

    public static void Load(ref RegisterFile r, ReadOnlySpan<byte> image)
    {
        r.Fcw = BinaryPrimitives.ReadUInt16LittleEndian(image);
        r.Fsw = BinaryPrimitives.ReadUInt16LittleEndian(image[2..]);
        r.Ftw = image[4];
        r.Fop = BinaryPrimitives.ReadUInt16LittleEndian(image[6..]);
        r.Fip = BinaryPrimitives.ReadUInt64LittleEndian(image[8..]);
        r.Fdp = BinaryPrimitives.ReadUInt64LittleEndian(image[16..]);
        r.Mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(image[24..]);
        int top = (r.Fsw >> 11) & 7;
        for (int i = 0; i < 8; i++)
        {
            r.X87[(top + i) & 7] = new Float80
            {
                Significand = BinaryPrimitives.ReadUInt64LittleEndian(image[(32 + (i * 16))..]),
                SignExponent = BinaryPrimitives.ReadUInt16LittleEndian(image[(40 + (i * 16))..]),
            };
        }

        for (int i = 0; i < 16; i++)
            r.Xmm[i] = Vector128.Create(image.Slice(160 + (i * 16), 16));
    }
}
