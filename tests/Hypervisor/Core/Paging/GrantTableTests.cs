using Xen.Abi;
using static Xen.Core.Tests.Paging.PagingGuest;

namespace Xen.Core.Tests.Paging;

/// <summary>The grant table itself: size, layout, frames.</summary>
public sealed class GrantTableTests : IDisposable
{
    private static readonly ulong List = Arguments + 0x400;

    private readonly PagingGuest _guest = new();

    public void Dispose()
    {
        _guest.Audit();
        _guest.Release();
        _guest.Dispose();
    }

    [Fact]
    public void SetupTable_GivesFramesThatTheGuestMayMapWritable()
    {
        Assert.Equal(GrantStatus.Okay, SetUp(3));
        ulong[] frames = _guest.Guest.ReadWords(List, 3);
        Assert.Equal(3, frames.Distinct().Count());
        Assert.Equal(0, _guest.Map(16, (frames[2] << 12) | P | W));
        _guest.Guest.Write(TestGuest.AddressOf(16), 1);
        Assert.Equal(0, _guest.Map(16, 0));
        Assert.Equal(64ul, _guest.Domain.TotalPages);

        Assert.Equal(GrantStatus.Okay, SetUp(2));
        Assert.Equal(frames[..2], _guest.Guest.ReadWords(List, 2));
        Assert.Equal((3u, 64u), QuerySize());
    }

    [Theory]
    [InlineData(65u)]
    [InlineData(uint.MaxValue)]
    public void Hostile_SetupTable_OfTooManyFrames(uint frames) => Assert.Equal(GrantStatus.GeneralError, SetUp(frames));

    [Fact]
    public void Hostile_SetupTable()
    {
        Assert.Equal(GrantStatus.BadVirtAddr, SetUp(1, list: 0xDEAD_0000));
        Assert.Equal(GrantStatus.BadDomain, SetUp(1, domain: 99));
        Assert.Equal(Error(XenErrno.EFAULT), Call(GrantTableOperation.SetupTable, 0xDEAD_0000));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Guest.Hypercall(HypercallNumber.GrantTableOp, (ulong)GrantTableOperation.SetupTable, Arguments, 2));
        Assert.Equal(Error(XenErrno.ENOSYS), Call((GrantTableOperation)99, Arguments));
    }

    [Fact]
    public void SetVersion_TwoHasStatusFrames()
    {
        Assert.Equal(GrantStatus.Okay, SetUp(9));
        Assert.Equal(GrantStatus.GeneralError, StatusFrames(1));
        _guest.Guest.Write(Arguments, new GnttabSetVersion { Version = 2 });
        Assert.Equal(0, Call(GrantTableOperation.SetVersion, Arguments));
        Assert.Equal(2u, _guest.Guest.Read<GnttabSetVersion>(Arguments).Version);
        Assert.Equal(GrantStatus.Okay, StatusFrames(2));
        Assert.Equal(GrantStatus.GeneralError, StatusFrames(3));
        _guest.Guest.Write(Arguments, new GnttabGetVersion { Dom = DomId.Self });
        Assert.Equal(0, Call(GrantTableOperation.GetVersion, Arguments));
        Assert.Equal(2u, _guest.Guest.Read<GnttabGetVersion>(Arguments).Version);
        _guest.Guest.Write(Arguments, new GnttabSetVersion { Version = 3 });
        Assert.Equal(Error(XenErrno.EINVAL), Call(GrantTableOperation.SetVersion, Arguments));
        Assert.Equal(2u, _guest.Guest.Read<GnttabSetVersion>(Arguments).Version);
    }

    private GrantStatus SetUp(uint frames, ulong? list = null, ushort domain = 0x7FF0)
    {
        _guest.Guest.Write(Arguments, new GnttabSetupTable { Dom = new DomId(domain), NrFrames = frames, FrameList = list ?? List });
        Assert.Equal(0, Call(GrantTableOperation.SetupTable, Arguments));
        return _guest.Guest.Read<GnttabSetupTable>(Arguments).Status;
    }

    private GrantStatus StatusFrames(uint frames)
    {
        _guest.Guest.Write(Arguments, new GnttabGetStatusFrames { Dom = DomId.Self, NrFrames = frames, FrameList = List });
        Assert.Equal(0, Call(GrantTableOperation.GetStatusFrames, Arguments));
        return _guest.Guest.Read<GnttabGetStatusFrames>(Arguments).Status;
    }

    private (uint Frames, uint Most) QuerySize()
    {
        _guest.Guest.Write(Arguments, new GnttabQuerySize { Dom = DomId.Self });
        Assert.Equal(0, Call(GrantTableOperation.QuerySize, Arguments));
        GnttabQuerySize size = _guest.Guest.Read<GnttabQuerySize>(Arguments);
        Assert.Equal(GrantStatus.Okay, size.Status);
        return (size.NrFrames, size.MaxNrFrames);
    }

    private long Call(GrantTableOperation operation, ulong argument) =>
        _guest.Guest.Hypercall(HypercallNumber.GrantTableOp, (ulong)operation, argument, 1);
}
