namespace Xen.Abi.Tests;

public sealed class MessageAccessorTests
{
    [Theory]
    [InlineData(0x1000UL, MmuUpdateCommand.NormalPtUpdate)]
    [InlineData(0x1009UL, MmuUpdateCommand.MachphysUpdate)]
    [InlineData(0x1ff2UL, MmuUpdateCommand.PtUpdatePreserveAd)]
    [InlineData(0xffff_ffff_ffff_ffffUL, MmuUpdateCommand.PtUpdateNoTranslate)]
    public void MmuUpdate_SeparatesCommandAndAddress(ulong ptr, MmuUpdateCommand command)
    {
        var update = new MmuUpdate { Ptr = ptr };

        Assert.Equal(command, update.Command);
        Assert.Equal(ptr & ~3UL, update.Address);
    }

    [Fact]
    public void MmuextOp_NrEnts_IgnoresTheUpperHalf() =>
        Assert.Equal(5u, new MmuextOp { Arg2 = 0xdead_beef_0000_0005 }.NrEnts);

    [Fact]
    public void GnttabCopyPtr_Ref_IgnoresTheUpperHalf() =>
        Assert.Equal(new GrantRef(7), new GnttabCopyPtr { U = 0xdead_beef_0000_0007 }.Ref);

    [Theory]
    [InlineData(0, 0, false)]
    [InlineData(3, 3, false)]
    [InlineData(7, 3, true)]
    [InlineData(4, 0, true)]
    [InlineData(0xf8, 0, false)]
    public void TrapInfo_ReadsItsFlags(byte flags, int dpl, bool masks)
    {
        var trap = new TrapInfo { Flags = flags };

        Assert.Equal(dpl, trap.Dpl);
        Assert.Equal(masks, trap.MasksEvents);
    }

    [Theory]
    [InlineData(TrapVector.PageFault, true)]
    [InlineData(TrapVector.GeneralProtection, true)]
    [InlineData(TrapVector.DoubleFault, true)]
    [InlineData(TrapVector.Debug, false)]
    [InlineData(TrapVector.Breakpoint, false)]
    [InlineData(TrapVector.InvalidOpcode, false)]
    [InlineData((TrapVector)0x80, false)]
    public void TrapVectors_KnowWhichPushAnErrorCode(TrapVector vector, bool expected) =>
        Assert.Equal(expected, TrapVectors.HasErrorCode(vector));

    [Fact]
    public void E820Entry_IsPackedAsTheBiosHasIt()
    {
        Assert.Equal(20, ManagedLayout.SizeOf(typeof(E820Entry)));
        Assert.Equal(0, ManagedLayout.OffsetOf(typeof(E820Entry).GetField(nameof(E820Entry.Addr))!));
        Assert.Equal(8, ManagedLayout.OffsetOf(typeof(E820Entry).GetField(nameof(E820Entry.Size))!));
        Assert.Equal(16, ManagedLayout.OffsetOf(typeof(E820Entry).GetField(nameof(E820Entry.Type))!));
    }

    [Fact]
    public void CpuidSignature_SpellsXen()
    {
        byte[] bytes =
        [
            .. BitConverter.GetBytes(CpuidLeaves.SignatureEbx),
            .. BitConverter.GetBytes(CpuidLeaves.SignatureEcx),
            .. BitConverter.GetBytes(CpuidLeaves.SignatureEdx),
        ];
        Assert.Equal("XenVMMXenVMM", System.Text.Encoding.ASCII.GetString(bytes));
    }
}
