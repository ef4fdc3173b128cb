using Iced.Intel;
using Xen.Abi;
using Xen.GuestKit.Assembly;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Dom0.Tests.Builder;

/// <summary>The assembler of small guests lays out what it promises.</summary>
public sealed class GuestAssemblerTests
{
    [Fact]
    public void Data_LiesBehindTheCode_AtAddressesKnownAtOnce()
    {
        var guest = new GuestAssembler(new GuestImageOptions { VirtBase = 0x10_0000, ImageOffset = 0x2000, CodeCapacity = 0x1000 });
        var bytes = guest.Data([1, 2, 3]);
        var page = guest.ReservePages();

        Assert.Equal(0x10_2000ul, guest.Entry);
        Assert.InRange(bytes, 0x10_3000ul, 0x10_3FFFul);
        Assert.Equal(0x10_4000ul, page);
        Assert.Equal(new Pfn(4), guest.PfnOf(page));
    }

    [Fact]
    public void Pointer_HoldsTheLabelsAddress()
    {
        var guest = new GuestAssembler();
        var slot = guest.Words(0);
        var handler = guest.Code.CreateLabel();
        guest.PowerOff();
        guest.Code.Label(ref handler);
        guest.Code.ud2();
        guest.Pointer(slot, handler);
        var image = guest.Build();

        var dataInFile = image.Elf.Length;
        var wanted = BitConverter.GetBytes(image.AddressOf(handler));
        Assert.True(image.Elf.AsSpan(0, dataInFile).IndexOf(wanted) > 0);
        Assert.InRange(image.AddressOf(handler), image.Entry, image.Entry + 0xFFFF);
    }

    [Fact]
    public void Hypercall_WithoutPage_IsSyscallWithTheNumberInEax()
    {
        var code = CodeOf(new GuestImageOptions(), g => g.Hypercall(HypercallNumber.SchedOp, 1, 2, 3, 4, 5));

        Assert.Equal(
            ["mov rdi,1", "mov rsi,2", "mov rdx,3", "mov r10,4", "mov r8,5", "mov eax,1Dh", "syscall"],
            code);
    }

    [Fact]
    public void Hypercall_WithPage_CallsItsEntry()
    {
        var code = CodeOf(new GuestImageOptions { HypercallPage = true, VirtBase = 0 }, g => g.Hypercall(HypercallNumber.SchedOp));

        // Image at 0x1000, 64 KiB of code, one page of slots before the page; 29 * 32 into it.
        Assert.Equal(["mov rax,123A0h", "call rax"], code);
    }

    [Fact]
    public void Routines_AreEmittedOnce_AndReached()
    {
        var guest = new GuestAssembler();
        guest.PrintRing("a");
        guest.PrintRing("b");
        guest.PrintHex(rbx);
        guest.Expect(0, "c");
        guest.PowerOff();
        var calls = guest.Code.Instructions.Count(i => i.Mnemonic == Mnemonic.Call);
        var image = guest.Build();

        Assert.Equal(4, calls);
        Assert.Equal(2, guest.Code.Instructions.Count(i => i.Mnemonic == Mnemonic.Ret));
        var code = Xen.Builder.Images.KernelImage.Parse(image.Elf, "k").Segments[0].Content;
        var decoder = Decoder.Create(64, code.ToArray(), image.Entry);
        var decoded = Enumerable.Range(0, guest.Code.Instructions.Count).Select(_ => decoder.Decode()).ToArray();
        Assert.All(decoded, i => Assert.False(i.IsInvalid));
        Assert.All(
            decoded.Where(i => i.Mnemonic == Mnemonic.Call),
            i => Assert.Contains(decoded, target => target.IP == i.NearBranchTarget));
    }

    [Fact]
    public void Build_RefusesMoreCodeThanItsRoom()
    {
        var guest = new GuestAssembler(new GuestImageOptions { CodeCapacity = Page.Size });
        for (var i = 0; i < 500; i++)
        {
            guest.Code.mov(rax, 0x1234_5678_9ABC_DEF0);
        }

        Assert.Throws<InvalidOperationException>(guest.Build);
    }

    /// <summary>The instructions that an action emits, without the prologue and the routines.</summary>
    private static string[] CodeOf(GuestImageOptions options, Action<GuestAssembler> emit)
    {
        var guest = new GuestAssembler(options);
        var before = guest.Code.Instructions.Count;
        emit(guest);
        return [.. guest.Code.Instructions.Skip(before).Select(i => i.ToString())];
    }
}
