using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>The 512 bytes that FXSAVE writes, as far as a vCPU's registers have them.</summary>
internal static class FxsaveImage
{
    public const int Size = 512;

    private const int Mxcsr = 24, X87 = 32, Xmm = 160, Slot = 16;

    /// <summary>MXCSR bits that may be set.</summary>
    private const uint MxcsrMask = 0xFFFF;

    /// <summary>Takes x87 and SSE registers from an image. Bits that are reserved are ignored.</summary>
    public static void Load(ref RegisterFile registers, ReadOnlySpan<byte> image)
    {
        registers.Fcw = BinaryPrimitives.ReadUInt16LittleEndian(image);
        registers.Fsw = BinaryPrimitives.ReadUInt16LittleEndian(image[2..]);
        registers.Ftw = image[4];
        registers.Fop = BinaryPrimitives.ReadUInt16LittleEndian(image[6..]);
        registers.Fip = BinaryPrimitives.ReadUInt64LittleEndian(image[8..]);
        registers.Fdp = BinaryPrimitives.ReadUInt64LittleEndian(image[16..]);
        registers.Mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(image[Mxcsr..]) & MxcsrMask;
        int top = (registers.Fsw >> 11) & 7;
        for (int i = 0; i < 8; i++)
        {
            // The image has ST0 first; the register file has R0 first.
            ReadOnlySpan<byte> from = image.Slice(X87 + (i * Slot), Slot);
            registers.X87[(top + i) & 7] = new Float80
            {
                Significand = BinaryPrimitives.ReadUInt64LittleEndian(from),
                SignExponent = BinaryPrimitives.ReadUInt16LittleEndian(from[8..]),
            };
        }

        for (int i = 0; i < 16; i++)
            registers.Xmm[i] = Vector128.Create(image.Slice(Xmm + (i * Slot), Slot));
    }

    /// <summary>Writes x87 and SSE registers into an image, which is otherwise zero.</summary>
    public static void Save(in RegisterFile registers, Span<byte> image)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(image, registers.Fcw);
        BinaryPrimitives.WriteUInt16LittleEndian(image[2..], registers.Fsw);
        image[4] = registers.Ftw;
        BinaryPrimitives.WriteUInt16LittleEndian(image[6..], registers.Fop);
        BinaryPrimitives.WriteUInt64LittleEndian(image[8..], registers.Fip);
        BinaryPrimitives.WriteUInt64LittleEndian(image[16..], registers.Fdp);
        BinaryPrimitives.WriteUInt32LittleEndian(image[Mxcsr..], registers.Mxcsr);
        BinaryPrimitives.WriteUInt32LittleEndian(image[(Mxcsr + 4)..], MxcsrMask);
        int top = (registers.Fsw >> 11) & 7;
        for (int i = 0; i < 8; i++)
        {
            Float80 value = registers.X87[(top + i) & 7];
            BinaryPrimitives.WriteUInt64LittleEndian(image[(X87 + (i * Slot))..], value.Significand);
            BinaryPrimitives.WriteUInt16LittleEndian(image[(X87 + (i * Slot) + 8)..], value.SignExponent);
        }

        for (int i = 0; i < 16; i++)
            registers.Xmm[i].CopyTo(image.Slice(Xmm + (i * Slot), Slot));
    }
}
