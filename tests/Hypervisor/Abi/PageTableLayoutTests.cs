namespace Xen.Abi.Tests;

public sealed class PageTableLayoutTests
{
    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(1UL, 0x63UL)]
    [InlineData(0xff_ffff_ffffUL, 0x8000_0000_0000_0fffUL)]
    public void Entry_RoundTrips(ulong frame, ulong flags)
    {
        ulong entry = PageTableLayout.Entry(new Mfn(frame), (PageTableFlags)flags);

        Assert.Equal(new Mfn(frame), PageTableLayout.FrameOf(entry));
        Assert.Equal((PageTableFlags)flags, PageTableLayout.FlagsOf(entry));
    }

    [Fact]
    public void Entry_OfFrameBeyondTheArchitecture_KeepsFlagsClean() =>
        Assert.Equal(PageTableFlags.Present, PageTableLayout.FlagsOf(PageTableLayout.Entry(Mfn.Invalid, PageTableFlags.Present)));

    [Theory]
    [InlineData(0xffff_ffff_8000_0000UL, 511, 510, 0, 0)]
    [InlineData(0xffff_8000_0000_0000UL, 256, 0, 0, 0)]
    [InlineData(0x0000_0080_4020_1fffUL, 1, 1, 1, 1)]
    [InlineData(0x0000_7fff_ffff_ffffUL, 255, 511, 511, 511)]
    public void IndexOf_GivesTheSlotAtEachLevel(ulong address, int l4, int l3, int l2, int l1)
    {
        Assert.Equal(l4, PageTableLayout.IndexOf(address, 4));
        Assert.Equal(l3, PageTableLayout.IndexOf(address, 3));
        Assert.Equal(l2, PageTableLayout.IndexOf(address, 2));
        Assert.Equal(l1, PageTableLayout.IndexOf(address, 1));
    }

    [Fact]
    public void Shifts_AreOneLevelApart()
    {
        Assert.Equal(Page.Shift, PageTableLayout.L1Shift);
        Assert.Equal(PageTableLayout.L1Shift + PageTableLayout.BitsPerLevel, PageTableLayout.L2Shift);
        Assert.Equal(PageTableLayout.L2Shift + PageTableLayout.BitsPerLevel, PageTableLayout.L3Shift);
        Assert.Equal(PageTableLayout.L3Shift + PageTableLayout.BitsPerLevel, PageTableLayout.L4Shift);
        Assert.Equal(PageTableLayout.L4Shift + PageTableLayout.BitsPerLevel, PageTableLayout.VirtualAddressBits);
        Assert.Equal(Page.EntriesPerTable, 1 << PageTableLayout.BitsPerLevel);
    }
}
