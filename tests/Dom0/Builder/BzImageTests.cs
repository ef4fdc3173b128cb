using System.Buffers.Binary;
using System.Text;
using Xen.Builder.Images;
using Xen.Builder.Images.Codecs;

namespace Xen.Dom0.Tests.Builder;

/// <summary>Linux boot images give up their kernel, whatever packed it.</summary>
public sealed class BzImageTests
{
    // One small kernel, packed by gzip -9, bzip2 -9, xz --format=lzma, xz --x86 --lzma2=dict=128MiB, lz4 -l, zstd -22;
    // all but gzip with the unpacked size behind, as Linux's build does it.
    private static readonly Dictionary<CompressionFormat, string> Packed = new()
    {
            [CompressionFormat.Gzip] = "H4sIAAAAAAACA6t39XFjYmRkgAEmBjsGME8AwndgwAQODBZAdRAZkFp2IP4BkxRApR/AxA1QxVmgeAMDduCBxmdBojmAmBWII1LzGCpS83SN9Q"
            + "zg4hxQ8fTUvNSizGS4ODNUHAb4ufHD4NzEnByF7NSivNQcHYXSvILE5OzUFD2FoSIOAA+Z8cvYAQAA",
            [CompressionFormat.Bzip2] = "QlpoOTFBWSZTWbJA3FsAAMp/if7IyABAB0hBQ0QIQC6vUkDAAEAAAEAwALLBKUAAAQwDQAmBiRNQepp+qaNBkaAAPUCqppAPUaBoA0AxGEVszK"
            + "xqUl5vx5KIB0ZoMhigYQArbPF6gCblciedjEnNpDFwjWINNcETbFnRB1gASqJMIpO16JuBYAuuBDmBe41e6kUXisFSqRHU6A6A53B9Fg3D9Jfb"
            + "gwiN3oTDoIjOLhKYxC8REshkGaEOMP4u5IpwoSFkgbi22AEAAA==",
            [CompressionFormat.Lzma] = "XQAAAAT//////////wA/kUWEaD2JptqKzJPiTuVzkHPQFpjTw/cX2Q0ZzgPlk+oLDxIbSygY3C9erQH6Gwnf01uwbNmQngcpOKdTKK+qymm6X/"
            + "zztFWzsFxvaQfy4LJS7XnTPyIwM3LGDz/jzz/xPpZmP2M3URcPfm1TZH47IZhf//9MFgAA2AEAAA==",
            [CompressionFormat.Xz] = "/Td6WFoAAAFpIt42AgEEACEBHgAFDOzX4AHXAHNdAD+RRYRoPYmm2orMk+JO5XOQc9AWmNPD9xfZDRnOA+WT6gsPEhtLKBjcL16tAfobCd/TW7"
            + "Bs2ZCeByk4p1Mor6rKabpf/PO0VbOwXG9pB/LgslLtedM/IjAzcsYPP+PPP/E+lmY/YzdRFw9+bVNkfjkR3wAAAA+Z8csAAYsB2AMAAFk25Gs+"
            + "MA2LAgAAAAABWVrYAQAA",
            [CompressionFormat.Lz4] = "AiFMGKEAAACEf0VMRgIBAQABAEECAD4ADgASEBAALkAAAQBTQAA4AAIaAAAsAFQHAAAA+B0AGhAIABTgGAAaMBgAEwQEAC+wAAEAAxtIEAAXBA"
            + "gA9QQIAAAABQAAAFhlbgB4ZW4tMy4wGAATCBgAdWdlbmVyaWMYABMDGAAEAQAvDwsCAAv/CVNtYWxsIGtlcm5lbCwgdW5wYWNrZWQuIBgAkFBr"
            + "ZWQuINgBAAA=",
            [CompressionFormat.Zstd] = "KLUv/QSIPQQAYkYXIKCrAz+uqlb/P126X8kkoZpxN39xe9w1xjb93Fu6294p9qgYoyatOVtc7o0xe++URQNxgLo2brYociRGc/dm6X/wn84//y"
            + "ZysD78L/yP8sqZM6//H79c/jFKB2q8EyCwVvWUihoVLmc6Vu+Z9WKH0ZLFKFwZ26UAF6dk5nrnao5vyS1cjO5vF9gBAAA=",
    };

    [Theory]
    [InlineData(nameof(CompressionFormat.Gzip))]
    [InlineData(nameof(CompressionFormat.Bzip2))]
    [InlineData(nameof(CompressionFormat.Lzma))]
    [InlineData(nameof(CompressionFormat.Xz))]
    [InlineData(nameof(CompressionFormat.Lz4))]
    [InlineData(nameof(CompressionFormat.Zstd))]
    public void Payload_OfEachFormat_GivesTheKernel(string format)
    {
        using var kernel = KernelImage.Parse(Image(PayloadOf(format)), "vmlinuz");

        Assert.Equal(0x1000ul, kernel.Entry);
        Assert.Equal(0x3000ul, kernel.Segments[0].MemorySize);
        Assert.Contains("Small kernel, unpacked.", Encoding.ASCII.GetString(kernel.Segments[0].Content.Span), StringComparison.Ordinal);
    }

    [Fact]
    public void Payload_ThatIsNotPacked_IsTheKernel() => Assert.NotNull(KernelImage.Parse(Image(Kernels.Elf()), "vmlinuz"));

    [Theory]
    [InlineData(nameof(CompressionFormat.Gzip))]
    [InlineData(nameof(CompressionFormat.Bzip2))]
    [InlineData(nameof(CompressionFormat.Lzma))]
    [InlineData(nameof(CompressionFormat.Xz))]
    [InlineData(nameof(CompressionFormat.Lz4))]
    [InlineData(nameof(CompressionFormat.Zstd))]
    public void Hostile_DamagedPayload_IsRefusedOrUnpacks(string format)
    {
        var original = PayloadOf(format);
        var random = new Random(7);
        var refused = 0;
        for (var i = 0; i < 200; i++)
        {
            var payload = original.ToArray();
            payload[random.Next(8, payload.Length)] ^= (byte)random.Next(1, 256);
            try
            {
                KernelImage.Parse(Image(payload), "vmlinuz").Dispose();
            }
            catch (ImageException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1, 200);
    }

    [Theory]
    [InlineData(nameof(CompressionFormat.Bzip2))]
    [InlineData(nameof(CompressionFormat.Lzma))]
    [InlineData(nameof(CompressionFormat.Xz))]
    [InlineData(nameof(CompressionFormat.Lz4))]
    [InlineData(nameof(CompressionFormat.Zstd))]
    public void Hostile_UnpackedSize_IsNotBelieved(string format)
    {
        var payload = PayloadOf(format);
        var size = BinaryPrimitives.ReadUInt32LittleEndian(payload.AsSpan(payload.Length - 4));
        foreach (var claim in new[] { 0u, size - 1, size + 1 })
        {
            BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(payload.Length - 4), claim);
            Assert.Contains("payload is damaged", Kernels.Refusal(Image(payload)).Message, StringComparison.Ordinal);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(payload.Length - 4), uint.MaxValue);
        Assert.Contains("claims to unpack to 4294967295 bytes", Kernels.Refusal(Image(payload)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OldProtocol_IsRefused() =>
        Assert.Contains("protocol 2.07", Kernels.Refusal(Image([1, 2, 3], version: 0x207)).Message, StringComparison.Ordinal);

    [Fact]
    public void Kernel32_IsRefused() =>
        Assert.Contains("32-bit kernel", Kernels.Refusal(Image([1, 2, 3], xloadflags: 0)).Message, StringComparison.Ordinal);

    [Fact]
    public void UnknownPayload_IsRefused() =>
        Assert.Contains("no kernel in a known compression", Kernels.Refusal(Image([1, 2, 3])).Message, StringComparison.Ordinal);

    [Fact]
    public void LzoPayload_IsRefusedByName() =>
        Assert.Contains("LZO", Kernels.Refusal(Image([0x89, .. "LZO\0"u8])).Message, StringComparison.Ordinal);

    [Fact]
    public void PayloadOfSomethingElse_IsRefused()
    {
        var payload = PayloadOf(nameof(CompressionFormat.Gzip));
        using var packed = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(payload);
        }

        Assert.Contains("not an ELF kernel", Kernels.Refusal(Image(packed.ToArray())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CutShort_IsRefusedAsTruncated()
    {
        var image = Image(PayloadOf(nameof(CompressionFormat.Xz)));
        foreach (var length in new[] { 0x206, 0x24F, 0x400, image.Length - 1 })
        {
            Assert.Contains("truncated", Kernels.Refusal(image.AsMemory(0, length)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void MissingLibrary_IsNamedWithItsPackage()
    {
        var refusal = Assert.Throws<ImageException>(
            () => CodecLibrary.Open("/boot/vmlinuz", CompressionFormat.Xz, "libnothing.so.99", "libnothing99"));

        Assert.Equal(
            "/boot/vmlinuz: its kernel is xz-compressed, and the library libnothing.so.99 that unpacks it is not installed; "
            + "install it (on Debian: apt install libnothing99)",
            refusal.Message);
    }

    private static byte[] PayloadOf(string format) => Convert.FromBase64String(Packed[Enum.Parse<CompressionFormat>(format)]);

    /// <summary>A boot image with one setup sector and the payload 64 bytes into the protected-mode part.</summary>
    internal static byte[] Image(byte[] payload, ushort version = 0x20F, ushort xloadflags = 0x7F)
    {
        const int payloadOffset = 64;
        var image = new byte[1024 + payloadOffset + payload.Length];
        image[0x1F1] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x1FE), 0xAA55);
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), version);
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x236), xloadflags);
        BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(0x248), payloadOffset);
        BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(0x24C), payload.Length);
        payload.CopyTo(image, 1024 + payloadOffset);
        return image;
    }
}
