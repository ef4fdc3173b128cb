using System.Buffers.Binary;
using Xen.Abi;
using Xen.Builder.Images;
using Xen.Builder.StartOfDay;
using Xen.GuestKit.Assembly;

namespace Xen.Dom0.Tests.Builder;

/// <summary>A kernel in LZ4 blocks, which are unpacked one by one and on several threads, is the kernel that was packed.</summary>
public sealed class Lz4PayloadTests
{
    private const int Block = 8 << 20;
    private const int Pages = 8192;

    /// <summary>After so many bytes the kernel's data repeat; blocks do not begin at the same byte of them. At most 65535, LZ4's longest way back.</summary>
    private const int Period = 15 * Page.Size;

    private static readonly byte[] Kernel = LargeKernel();

    [Fact]
    public void Domain_OfAKernelInBlocks_IsThatOfThePlainKernel()
    {
        using var plain = KernelImage.Parse(Kernel, "plain");
        using var packed = Parse(Frame(Cut(Kernel)), Kernel.Length);

        var expected = Build(plain);
        var actual = Build(packed);

        Assert.True(Kernel.Length > 2 * Block);
        Assert.InRange(expected.Touched, (2 * Block) / Page.Size, Pages);
        AssertSame(expected, actual);
        AssertSame(expected, Build(packed)); // what was forgotten is unpacked again
    }

    [Fact]
    public void Content_OfSegments_IsThatOfThePlainKernel()
    {
        using var plain = KernelImage.Parse(Kernel, "plain");
        using var packed = Parse(Frame(Cut(Kernel)), Kernel.Length);

        Assert.Equal(plain.Segments.Length, packed.Segments.Length);
        foreach (var (expected, actual) in plain.Segments.Zip(packed.Segments))
        {
            Assert.True(expected.Content.Span.SequenceEqual(actual.Content.Span));
        }
    }

    [Fact]
    public void AppendedFrames_OfSmallerBlocks_AreOneKernel()
    {
        using var plain = KernelImage.Parse(Kernel, "plain");
        using var packed = Parse(
            [.. Frame([Kernel.AsMemory(0, 3_000_000)]), .. Frame(Cut(Kernel.AsMemory(3_000_000)))], Kernel.Length);

        AssertSame(Build(plain), Build(packed));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Hostile_DamagedBlock_IsRefused_AtTheLatestWhenTheDomainIsBuilt(int damaged)
    {
        var blocks = Cut(Kernel).Select(Pack).ToArray();
        blocks[damaged][^1] ^= 0xFF; // a literal: unpacks all the same
        using (var kernel = Parse(FrameOf(blocks), Kernel.Length))
        {
            Build(kernel);
        }

        blocks[damaged][0] = 0x0F; // a match before there is anything to match
        AssertDamaged(FrameOf(blocks), Kernel.Length);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(+1)]
    [InlineData(-Block)]
    [InlineData(+Block)]
    public void Hostile_UnpackedSize_IsNotBelieved(int error) => AssertDamaged(Frame(Cut(Kernel)), Kernel.Length + error);

    [Fact]
    public void Hostile_ShortBlockInTheMiddle_IsRefused() =>
        AssertDamaged(
            Frame([Kernel.AsMemory(0, Block), Kernel.AsMemory(Block, Block - 1), Kernel.AsMemory((2 * Block) - 1)]), Kernel.Length);

    [Fact]
    public void Hostile_BlockThatIsTooLarge_IsRefused() => AssertDamaged(Frame([Kernel.AsMemory(0, Block + 1), Kernel.AsMemory(Block + 1)]), Kernel.Length);

    [Fact]
    public void Hostile_BlockThatReachesBeyondTheEnd_IsRefused()
    {
        var frame = Frame(Cut(Kernel));

        AssertDamaged(frame[..^1], Kernel.Length);
        AssertDamaged(frame[..(frame.Length / 2)], Kernel.Length);
    }

    [Fact]
    public void Hostile_MillionsOfEmptyBlocks_AreRefused()
    {
        var blocks = new byte[5 << 20];
        for (var at = 0; at < blocks.Length; at += 5)
        {
            blocks[at] = 1; // of one byte, a token for nothing
        }

        AssertDamaged([0x02, 0x21, 0x4C, 0x18, .. blocks], Kernel.Length);
    }

    private static byte[] LargeKernel()
    {
        var pattern = new byte[(2 * Block) + (1 << 20)];
        new Random(1).NextBytes(pattern.AsSpan(0, Period));
        for (var at = Period; at < pattern.Length; at += Period)
        {
            pattern.AsSpan(0, Math.Min(Period, pattern.Length - at)).CopyTo(pattern.AsSpan(at));
        }

        var guest = new GuestAssembler();
        guest.Data(pattern);
        guest.PowerOff();
        return guest.Build().Elf;
    }

    private static FakeDomainMemory Build(KernelImage kernel)
    {
        var memory = new FakeDomainMemory(Pages);
        DomainBuilder.Build(memory, kernel, new StartOfDayParameters { SharedInfoAddress = 0x1000 });
        return memory;
    }

    private static void AssertSame(FakeDomainMemory expected, FakeDomainMemory actual)
    {
        Assert.Equal(expected.Touched, actual.Touched);
        for (ulong page = 0; page < Pages; page++)
        {
            Assert.True(expected.Read(new Pfn(page)).SequenceEqual(actual.Read(new Pfn(page))), $"page {page:x} differs");
        }
    }

    private static void AssertDamaged(byte[] frame, int size)
    {
        var refusal = Assert.Throws<ImageException>(() =>
        {
            using var kernel = Parse(frame, size);
            Build(kernel);
        });
        Assert.Contains("its LZ4 payload is damaged", refusal.Message, StringComparison.Ordinal);
    }

    private static KernelImage Parse(byte[] frame, int size)
    {
        var trailer = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(trailer, size);
        return KernelImage.Parse(BzImageTests.Image([.. frame, .. trailer]), "vmlinuz");
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Cut(ReadOnlyMemory<byte> content)
    {
        for (; content.Length > Block; content = content[Block..])
        {
            yield return content[..Block];
        }

        yield return content;
    }

    private static byte[] Frame(IEnumerable<ReadOnlyMemory<byte>> blocks) => FrameOf(blocks.Select(Pack));

    private static byte[] FrameOf(IEnumerable<byte[]> blocks)
    {
        using var frame = new MemoryStream();
        frame.Write([0x02, 0x21, 0x4C, 0x18]);
        var size = new byte[sizeof(int)];
        foreach (var block in blocks)
        {
            BinaryPrimitives.WriteInt32LittleEndian(size, block.Length);
            frame.Write(size);
            frame.Write(block);
        }

        return frame.ToArray();
    }

    /// <summary>
    /// A block: literals until the data have begun to repeat, one match of what follows, and the 5 literals that have to be last. A length beyond 15 goes on in
    /// bytes of 255, the last of which is smaller.
    /// </summary>
    private static byte[] Pack(ReadOnlyMemory<byte> content)
    {
        const int least = 4, last = 5;
        var bytes = content.Span;
        var start = bytes.Length;
        while (start > Period && (start > bytes.Length - last || bytes[start - 1] == bytes[start - 1 - Period]))
        {
            start--;
        }

        using var block = new MemoryStream();
        var match = bytes.Length - last - start;
        if (match > least + 15)
        {
            block.WriteByte(0xFF);
            WriteLength(block, start);
            block.Write(bytes[..start]);
            block.Write([Period & 0xFF, Period >> 8]);
            WriteLength(block, match - least);
            bytes = bytes[^last..];
            block.WriteByte(last << 4);
        }
        else
        {
            block.WriteByte(0xF0);
            WriteLength(block, bytes.Length);
        }

        block.Write(bytes);
        return block.ToArray();
    }

    private static void WriteLength(MemoryStream block, int length)
    {
        for (length -= 15; length >= 255; length -= 255)
        {
            block.WriteByte(255);
        }

        block.WriteByte((byte)length);
    }
}
