using System.Buffers.Binary;
using System.Text;
using Xen.Abi;
using Xen.Builder.Images;
using Xen.Builder.StartOfDay;
using Xen.GuestKit.Assembly;

namespace Xen.Dom0.Tests.Builder;

/// <summary>The start of day is the one that the public header promises.</summary>
public sealed class DomainBuilderTests
{
    private const ulong SharedInfo = 0x7_F000;

    // Offsets in struct start_info, from the public header by a C compiler.
    private const int NrPages = 32, SharedInfoAt = 40, Flags = 48, StoreMfn = 56, StoreEvtchn = 64, ConsoleMfn = 72, ConsoleEvtchn = 80;
    private const int PtBase = 88, NrPtFrames = 96, MfnList = 104, ModStart = 112, ModLen = 120;
    private const int CmdLine = 128, FirstP2mPfn = 1152, NrP2mFrames = 1160;

    [Fact]
    public void FirstInstruction_IsTheKernels_AndTheStackIsMapped()
    {
        var (memory, state, kernel) = Build();

        var code = kernel.Segments[0].Content.Span;
        Assert.True(memory.At(state.PageTableRoot, state.InstructionPointer).StartsWith(code));
        Assert.Equal(0ul, state.StackPointer & Page.OffsetMask);
        Assert.True(PageTableLayout.FlagsOf(memory.Walk(state.PageTableRoot, state.StackPointer - 8)).HasFlag(PageTableFlags.Writable));
    }

    [Fact]
    public void StartInfo_SaysWhatTheHeaderAsks()
    {
        var parameters = Parameters() with { CommandLine = "console=hvc0 root=/dev/xvda1", Flags = StartInfoFlags.Privileged };
        var (memory, state, _) = Build(parameters: parameters);

        var info = memory.At(state.PageTableRoot, state.StartInfoAddress);
        Assert.True(info.StartsWith("xen-3.0-x86_64\0"u8));
        Assert.Equal(memory.PageCount, U64(info, NrPages));
        Assert.Equal(SharedInfo, U64(info, SharedInfoAt));
        Assert.Equal(1u, (uint)U64(info, Flags));
        Assert.Equal(memory.FrameOf(state.XenStore).Value, U64(info, StoreMfn));
        Assert.Equal(1u, (uint)U64(info, StoreEvtchn));
        Assert.Equal(memory.FrameOf(state.Console).Value, U64(info, ConsoleMfn));
        Assert.Equal(2u, (uint)U64(info, ConsoleEvtchn));
        Assert.Equal((ulong)state.NrPtFrames, U64(info, NrPtFrames));
        Assert.Equal(state.P2mAddress, U64(info, MfnList));
        Assert.Equal(0ul, U64(info, ModStart) | U64(info, ModLen) | U64(info, FirstP2mPfn) | U64(info, NrP2mFrames));
        Assert.Equal("console=hvc0 root=/dev/xvda1\0", Encoding.ASCII.GetString(info.Slice(CmdLine, 29)));
        var root = memory.Walk(state.PageTableRoot, U64(info, PtBase));
        Assert.Equal(memory.FrameOf(state.PageTableRoot), PageTableLayout.FrameOf(root));
    }

    [Fact]
    public void Elements_FollowEachOther_InTheHeadersOrder()
    {
        var (memory, state, kernel) = Build(parameters: Parameters() with { Ramdisk = new byte[5000] });

        var info = memory.At(state.PageTableRoot, state.StartInfoAddress);
        var kernelEnd = PagesOf(kernel.PhysicalEnd);
        var ramdisk = (U64(info, ModStart) - state.VirtBase) >> Page.Shift;
        Assert.Equal(kernelEnd, ramdisk);
        Assert.Equal(ramdisk + 2, state.P2m.Value);
        Assert.Equal(state.P2m.Value + PagesOf(memory.PageCount * 8), state.StartInfo.Value);
        Assert.Equal(state.StartInfo.Value + 1, state.XenStore.Value);
        Assert.Equal(state.StartInfo.Value + 2, state.Console.Value);
        Assert.Equal(state.StartInfo.Value + 3, state.PageTableRoot.Value);
        var stack = state.PageTableRoot.Value + (ulong)state.NrPtFrames;
        Assert.Equal(state.VirtBase + ((stack + 1) << Page.Shift), state.StackPointer);
        Assert.Equal(0ul, state.VirtEnd & ((4ul << 20) - 1));
        Assert.True(state.VirtEnd - state.StackPointer >= 512 << 10);
    }

    [Fact]
    public void Ramdisk_OfAKernelThatWantsItMapped_IsMapped()
    {
        var content = Enumerable.Range(0, 9000).Select(i => (byte)(i % 251)).ToArray();
        var (memory, state, _) = Build(parameters: Parameters() with { Ramdisk = content });

        var info = memory.At(state.PageTableRoot, state.StartInfoAddress);
        Assert.Equal(9000ul, U64(info, ModLen));
        Assert.Equal(0u, (uint)U64(info, Flags));
        for (var at = 0; at < content.Length; at += Page.Size)
        {
            var page = memory.At(state.PageTableRoot, U64(info, ModStart) + (ulong)at);
            Assert.True(page.StartsWith(content.AsSpan(at, Math.Min(Page.Size, content.Length - at))));
        }
    }

    [Fact]
    public void Ramdisk_OfAKernelWithModStartPfn_GoesByFrameNumber_BehindThePadding()
    {
        var content = "initramfs"u8.ToArray();
        var (memory, state, _) = Build(new GuestImageOptions { ModStartPfn = true }, Parameters() with { Ramdisk = content });

        var info = memory.At(state.PageTableRoot, state.StartInfoAddress);
        Assert.Equal((uint)StartInfoFlags.ModStartPfn, (uint)U64(info, Flags));
        var pfn = U64(info, ModStart);
        Assert.True(memory.Read(new Pfn(pfn)).StartsWith(content));
        Assert.True(state.VirtBase + (pfn << Page.Shift) >= state.StackPointer + (512 << 10));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0x80_0000_0000ul)]
    public void FrameList_HasEveryFrameInOrder(ulong? initP2m)
    {
        var (memory, state, _) = Build(new GuestImageOptions { InitP2m = initP2m }, pages: 5_000);

        Assert.Equal(initP2m ?? state.VirtBase + (state.P2m.Value << Page.Shift), state.P2mAddress);
        for (ulong pfn = 0; pfn < PagesOf(5_000 * 8) * 512; pfn++)
        {
            var entry = U64(memory.At(state.PageTableRoot, state.P2mAddress + (pfn * 8)), 0);
            Assert.Equal(pfn < 5_000 ? memory.FrameOf(new Pfn(pfn)) : Mfn.Invalid, new Mfn(entry));
        }
    }

    [Fact]
    public void FrameList_WithItsOwnPlace_IsNamedWithItsTables()
    {
        var (memory, state, _) = Build(new GuestImageOptions { InitP2m = 0x80_0000_0000 }, pages: 5_000);

        var info = memory.At(state.PageTableRoot, state.StartInfoAddress);
        var own = state.PageTables.Skip(state.NrPtFrames).Select(t => (t.Pfn.Value, t.Level));
        Assert.Equal(state.P2m.Value, U64(info, FirstP2mPfn));
        Assert.Equal(10ul + 3, U64(info, NrP2mFrames));
        Assert.Equal([(state.P2m.Value + 10, 3), (state.P2m.Value + 11, 2), (state.P2m.Value + 12, 1)], own);
    }

    [Theory]
    [InlineData(0x80_0000_0800ul)] // not on a page
    [InlineData(0xFFFF_FFFF_9000_0000ul)] // in the region's part
    [InlineData(0xFFFF_8000_0000_0000ul)] // the hypervisor's
    [InlineData(0x0000_9000_0000_0000ul)] // not canonical
    public void Hostile_PlaceForTheFrameList_IsPassedOver(ulong address)
    {
        var (_, state, _) = Build(new GuestImageOptions { InitP2m = address });

        Assert.Equal(state.VirtBase + (state.P2m.Value << Page.Shift), state.P2mAddress);
    }

    [Fact]
    public void HypercallPage_IsFilledWithStubs()
    {
        var (memory, state, kernel) = Build(new GuestImageOptions { HypercallPage = true });

        Assert.Equal(kernel.HypercallPage, state.HypercallPageAddress);
        var page = memory.At(state.PageTableRoot, kernel.HypercallPage!.Value).ToArray();
        Assert.Equal(
            ["push rcx", "push r11", "mov eax,1Dh", "syscall", "pop r11", "pop rcx", "ret"],
            Disassemble(page.AsSpan(29 * 32, 32), 7));
        Assert.Equal(["push rcx", "push r11", "push rax", "mov eax,17h", "syscall"], Disassemble(page.AsSpan(23 * 32, 32), 5));
    }

    [Fact]
    public void PagesOfZeros_AreNotTouched()
    {
        var guest = new GuestAssembler(new GuestImageOptions { SingleSegment = true, CodeCapacity = 16 << 20 });
        guest.PowerOff();
        var (memory, _, _) = Build(KernelImage.Parse(guest.Build().Elf, "k"), Parameters(), 16_384);

        Assert.InRange(memory.Touched, 1, 100);
    }

    [Fact]
    public void CommandLine_MayHave1023Bytes()
    {
        var (memory, state, _) = Build(parameters: Parameters() with { CommandLine = new string('x', 1023) });

        var info = memory.At(state.PageTableRoot, state.StartInfoAddress);
        Assert.Equal((byte)'x', info[CmdLine + 1022]);
        Assert.Equal(0, info[CmdLine + 1023]);
    }

    [Theory]
    [InlineData(1024, 'x', "1024 bytes")]
    [InlineData(512, 'é', "1024 bytes")]
    [InlineData(1, '\0', "NUL")]
    public void Hostile_CommandLine_IsRefused_AndNothingWritten(int length, char letter, string cause)
    {
        var memory = FakeDomainMemory.OfMebibytes(16);
        var refusal = Assert.Throws<ImageException>(
            () => DomainBuilder.Build(memory, Kernels.Image(), Parameters() with { CommandLine = new string(letter, length) }));

        Assert.Contains(cause, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, memory.Touched);
    }

    private static (FakeDomainMemory Memory, StartOfDayState State, KernelImage Kernel) Build(
        GuestImageOptions? options = null, StartOfDayParameters? parameters = null, ulong pages = 4096) =>
        Build(Kernels.Image(options), parameters ?? Parameters(), pages);

    private static (FakeDomainMemory Memory, StartOfDayState State, KernelImage Kernel) Build(
        KernelImage kernel, StartOfDayParameters parameters, ulong pages)
    {
        var memory = new FakeDomainMemory(pages);
        return (memory, DomainBuilder.Build(memory, kernel, parameters), kernel);
    }

    private static StartOfDayParameters Parameters() => new()
    {
        SharedInfoAddress = SharedInfo,
        StoreEvtchn = new EvtchnPort(1),
        ConsoleEvtchn = new EvtchnPort(2),
    };

    private static string[] Disassemble(Span<byte> code, int count)
    {
        var decoder = Iced.Intel.Decoder.Create(64, code.ToArray());
        return [.. Enumerable.Range(0, count).Select(_ => decoder.Decode().ToString())];
    }

    private static ulong U64(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]);

    private static ulong PagesOf(ulong bytes) => (bytes + Page.OffsetMask) >> Page.Shift;
}
