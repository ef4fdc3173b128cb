using System.Buffers.Binary;
using Xen.Builder.Images;
using Xen.GuestKit.Assembly;

namespace Xen.Dom0.Tests.Builder;

/// <summary>ELF kernels are read as Xen reads them, and refused with a cause.</summary>
public sealed class ElfKernelTests
{
    private const int ProgramHeaders = 64;
    private const int ProgramHeaderSize = 56;

    [Theory]
    [InlineData(NotePlacement.Segment)]
    [InlineData(NotePlacement.Section)]
    [InlineData(NotePlacement.LegacyString)]
    public void Notes_AreFound_WhereverTheyStand(NotePlacement placement)
    {
        var kernel = Kernels.Image(new GuestImageOptions { Notes = placement, ImageOffset = 0x10_0000, HypercallPage = true });

        Assert.Equal(0xFFFF_FFFF_8000_0000, kernel.VirtBase);
        Assert.Equal(0xFFFF_FFFF_8010_0000, kernel.Entry);
        Assert.Equal(0xFFFF_FFFF_8011_1000, kernel.HypercallPage);
        Assert.Equal("guestkit", kernel.Notes.GuestOs);
        Assert.Equal(placement == NotePlacement.LegacyString, kernel.Notes.Legacy);
        Assert.Equal([0x10_0000ul, 0x11_0000ul], kernel.Segments.Select(s => s.PhysicalAddress));
    }

    [Fact]
    public void Defaults_AreBaseZero_AndTheHeadersEntry()
    {
        var kernel = Kernels.Image(new GuestImageOptions { VirtBase = 0, StateVirtBase = false, StateEntry = false, ImageOffset = 0x3000 });

        Assert.Equal(0ul, kernel.VirtBase);
        Assert.Equal(0x3000ul, kernel.Entry);
        Assert.Null(kernel.HypercallPage);
        Assert.Null(kernel.Notes.InitP2m);
        Assert.False(kernel.Notes.ModStartPfn);
    }

    [Fact]
    public void Notes_OfEveryKind_AreRead()
    {
        var notes = Kernels.Image(new GuestImageOptions
        {
            InitP2m = 0x80_0000_0000,
            ModStartPfn = true,
            HvStartLow = 0xFFFF_8000_0000_0000,
            Features = "!writable_page_tables|pae_pgdir_above_4gb|a_later_feature",
            SupportedFeatures = 0x8801,
        }).Notes;

        Assert.Equal(0x80_0000_0000ul, notes.InitP2m);
        Assert.True(notes.ModStartPfn);
        Assert.Equal(0xFFFF_8000_0000_0000, notes.HvStartLow);
        Assert.Equal(new KernelFeatures(0x8811, 1), notes.Features);
    }

    [Fact]
    public void PaddrOffset_IsTakenOffEveryPhysicalAddress()
    {
        var kernel = Kernels.Image(new GuestImageOptions { PaddrOffset = 0xFFFF_FFFF_8000_0000, ImageOffset = 0x20_0000 });

        Assert.Equal(0x20_0000ul, kernel.PhysicalStart);
        Assert.Equal(kernel.VirtBase + 0x20_0000, kernel.Entry);
    }

    [Fact]
    public void LegacyString_WithoutPaddrOffset_TakesVirtBase()
    {
        var notes = LegacyGuestString.Read(
            "k", "GUEST_OS=old,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,HYPERCALL_PAGE=0x102,PAE=yes,BSD_SYMTAB\0junk=1"u8);

        Assert.Equal(0xC000_0000ul, notes.PaddrOffset);
        Assert.Equal(0x102ul, notes.HypercallPage);
        Assert.True(notes.BsdSymtab);
    }

    [Fact]
    public void VirtualAddress_OfASegment_DoesNotCount()
    {
        var elf = Kernels.Elf();
        BinaryPrimitives.WriteUInt64LittleEndian(elf.AsSpan(ProgramHeaders + ProgramHeaderSize + 16), 0);

        Assert.Equal([0x1000ul, 0x1_1000ul], KernelImage.Parse(elf, "k").Segments.Select(s => s.PhysicalAddress));
    }

    [Fact]
    public void SingleSegment_ThatIsReadWriteExecute_IsOrdinary()
    {
        var kernel = Kernels.Image(new GuestImageOptions { SingleSegment = true, VirtBase = 0 });

        var segment = Assert.Single(kernel.Segments);
        Assert.True(segment.MemorySize > (ulong)segment.Content.Length);
    }

    public static TheoryData<string, GuestImageOptions> Foreign => new()
    {
        { "32-bit kernel", new() { Elf32 = true } },
        { "another machine (64-bit ARM)", new() { Machine = 183 } },
        { "no Xen notes", new() { Notes = NotePlacement.None } },
        { "no Xen notes", new() { NoteOwner = "GNU" } },
        { "PVH only", GuestImageOptions.PvhOnly },
        { "for 'xen-2.0'", new() { XenVersion = "xen-2.0" } },
        { "which version of Xen", new() { XenVersion = null } },
        { "loader of its own", new() { Loader = "bespoke" } },
        { "requires the Xen feature 'supervisor_mode_kernel'", new() { Features = "!supervisor_mode_kernel" } },
        { "requires the Xen feature 'warp_drive'", new() { Features = "a|!warp_drive" } },
        { "HV_START_LOW", new() { HvStartLow = 0xFFFF_9000_0000_0000 } },
        { "not a guest's part", new() { VirtBase = 0xFFFF_8000_0000_0000 } },
        { "not a guest's part", new() { VirtBase = 0x0000_7FFF_FFFF_F000 } },
        { "VIRT_BASE", new() { VirtBase = 0x800 } },
    };

    [Theory]
    [MemberData(nameof(Foreign))]
    public void Hostile_OrForeignKernel_IsRefusedWithItsCause(string cause, GuestImageOptions options)
    {
        var refusal = Kernels.Refusal(Kernels.Elf(options));

        Assert.Contains(cause, refusal.Message, StringComparison.Ordinal);
        Assert.StartsWith("test-kernel: ", refusal.Message, StringComparison.Ordinal);
        Assert.NotEmpty(refusal.Remedy);
    }

    // Where in the file, how many bytes, what they become, what is said then.
    [Theory]
    [InlineData(ProgramHeaders + 8, 8, ulong.MaxValue - 4, "truncated")] // p_offset
    [InlineData(ProgramHeaders + 32, 8, 0x7FFF_FFFF_FFFF, "larger in the file than in memory")] // p_filesz
    [InlineData(ProgramHeaders + 40, 8, ulong.MaxValue, "reaches beyond 4 GiB")] // p_memsz
    [InlineData(ProgramHeaders + 24, 8, ulong.MaxValue - 0xFFF, "reaches beyond 4 GiB")] // p_paddr
    [InlineData(ProgramHeaders + 24, 8, 0x1_1800, "overlap")]
    [InlineData(32, 8, ulong.MaxValue - 8, "truncated: its program headers")] // e_phoff
    [InlineData(54, 2, 12, "wrong size")] // e_phentsize
    [InlineData(56, 2, 0xFFFF, "65535 ELF program headers")] // e_phnum
    [InlineData(56, 2, 0, "0 ELF program headers")]
    [InlineData(5, 1, 2, "little-endian")]
    [InlineData(16, 2, 1, "type 1")] // a relocatable object
    public void Hostile_HeaderField_IsRefusedWithItsCause(int offset, int size, ulong value, string cause)
    {
        var elf = Kernels.Elf();
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes[..size].CopyTo(elf.AsSpan(offset));

        Assert.Contains(cause, Kernels.Refusal(elf).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EntryOutsideOfTheImage_IsRefused()
    {
        var elf = Kernels.Elf(new GuestImageOptions { StateEntry = false });
        BinaryPrimitives.WriteUInt64LittleEndian(elf.AsSpan(24), 0xFFFF_FFFF_9000_0000);

        Assert.Contains("entry point ffffffff90000000", Kernels.Refusal(elf).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TruncatedAnywhere_IsRefused_OrLosesOnlySectionHeaders()
    {
        var elf = Kernels.Elf();
        var content = (int)BinaryPrimitives.ReadUInt64LittleEndian(elf.AsSpan(40)); // segments end before the section headers
        var dataEnd = KernelImage.Parse(elf, "k").Segments[^1].Content.Length;
        for (var length = 0; length < content - 0x1000; length += length < 512 ? 1 : 97)
        {
            Assert.NotEmpty(Kernels.Refusal(elf.AsMemory(0, length)).Cause);
        }

        Assert.True(dataEnd > 0);
        Assert.NotNull(KernelImage.Parse(elf.AsMemory(0, content), "k"));
    }

    [Fact]
    public void Hostile_Mutations_AreRefusedOrRead_NeverAnythingElse()
    {
        var random = new Random(20210);
        byte[][] originals =
        [
            Kernels.Elf(),
            Kernels.Elf(new GuestImageOptions { Notes = NotePlacement.Section, HypercallPage = true, InitP2m = 1ul << 39 }),
            Kernels.Elf(new GuestImageOptions { Notes = NotePlacement.LegacyString, Features = "a|!writable_page_tables" }),
        ];
        var read = 0;
        for (var i = 0; i < 2_000; i++)
        {
            var elf = Mutate(random, originals[i % originals.Length]);
            try
            {
                Assert.NotEmpty(KernelImage.Parse(elf, "k").Segments);
                read++;
            }
            catch (ImageException e)
            {
                Assert.NotEmpty(e.Remedy);
            }
        }

        Assert.InRange(read, 1, 1_999);
    }

    /// <summary>Changes a few bytes, mostly of the headers and notes, or cuts the file short.</summary>
    private static byte[] Mutate(Random random, byte[] original)
    {
        var elf = original.ToArray();
        var tables = (int)BinaryPrimitives.ReadUInt64LittleEndian(elf.AsSpan(40));
        for (var n = random.Next(1, 6); n > 0; n--)
        {
            var at = random.Next(3) switch
            {
                0 => random.Next(64),
                1 => random.Next(64, 600),
                _ => tables + random.Next(elf.Length - tables),
            };
            elf[at] = (byte)random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => (byte)random.Next(256) };
        }

        return random.Next(8) == 0 ? elf[..random.Next(elf.Length)] : elf;
    }
}
