namespace Xen.Builder.Images;

/// <summary>
/// Linux's boot image: a real-mode setup part, whose header says where the compressed kernel lies in the rest.
/// <b>Source</b>: Linux's documented x86 boot protocol, 2.08 and later.
/// <code>
/// 0x1f1 setup_sects   0x1fe 0xAA55   0x202 "HdrS"   0x206 version   0x236 xloadflags   0x248 payload_offset   0x24c payload_length
/// </code>
/// </summary>
internal static class BzImage
{
    private const int SetupSects = 0x1F1;
    private const int BootFlag = 0x1FE;
    private const int HeaderMagic = 0x202;
    private const int Version = 0x206;
    private const int XLoadFlags = 0x236;
    private const int PayloadOffset = 0x248;
    private const int PayloadLength = 0x24C;

    private const ushort BootFlagValue = 0xAA55;
    private const ushort PayloadVersion = 0x0208;
    private const ushort XLoadFlagsVersion = 0x020C;
    private const ushort Kernel64 = 1;
    private const ulong SectorSize = 512;

    /// <summary>Whether the bytes are a boot image, whole or cut short.</summary>
    public static bool IsOne(ImageBytes image) =>
        image.Length >= HeaderMagic + 4
        && image.UInt16(BootFlag, "boot flag") == BootFlagValue
        && image.Slice(HeaderMagic, 4, "boot header").Span.SequenceEqual("HdrS"u8);

    /// <summary>The compressed kernel.</summary>
    /// <exception cref="ImageException">Too old, 32-bit or truncated.</exception>
    public static ReadOnlyMemory<byte> Payload(ImageBytes image)
    {
        const string header = "boot header";
        var version = image.UInt16(Version, header);
        if (version < PayloadVersion)
        {
            throw new ImageException(
                image.File,
                $"it is a boot image of protocol {version >> 8}.{version & 0xFF:00}, which does not say where its kernel is",
                "use a kernel of Linux 2.6.26 or later, or its vmlinux");
        }

        if (version >= XLoadFlagsVersion && (image.UInt16(XLoadFlags, header) & Kernel64) == 0)
        {
            throw ElfKernel.Is32Bit(image.File);
        }

        var sectors = image.Byte(SetupSects, header);
        var start = ((sectors == 0 ? 4ul : sectors) + 1) * SectorSize;
        return image.Slice(start + image.UInt32(PayloadOffset, header), image.UInt32(PayloadLength, header), "compressed kernel");
    }
}
