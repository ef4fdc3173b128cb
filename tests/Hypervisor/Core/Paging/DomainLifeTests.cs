using Xen.Abi;
using Xen.Memory;
using static Xen.Core.Tests.Paging.PagingGuest;

namespace Xen.Core.Tests.Paging;

/// <summary>A domain's memory from its creation to its end.</summary>
public sealed class DomainLifeTests : IDisposable
{
    private readonly PagingGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void AllocateMemory_EntersThePagesInTheMachphysTable()
    {
        for (int page = 0; page < TestGuest.PageCount; page++)
            Assert.Equal((ulong)page, _guest.Machine.Memory.ReadM2p(_guest.Frame(page)));
        Assert.Equal((ulong)TestGuest.PageCount, _guest.Domain.TotalPages);
        Assert.Equal(XenErrno.EBUSY, _guest.Domain.AllocateMemory(1));
    }

    [Fact]
    public void ReleaseMemory_FreesWhateverTheDomainDid()
    {
        Domain domain = _guest.Domain;
        Assert.True(domain.TryHoldWritable(_guest.Frame(20), null));
        Assert.True(domain.TryHoldWritable(_guest.Frame(20), null));
        Assert.False(domain.TryHoldWritable(_guest.L1, null));
        Assert.Equal(0, _guest.Update(_guest.L4, 300, _guest.L4.Address | P));
        _guest.Protect(30, 31);
        Assert.Equal(0, _guest.Pin(1, 30));
        Assert.Equal(0, _guest.Update(_guest.L2, 9, _guest.Entry(30, P | W)));
        Assert.Equal(XenErrno.OK, domain.Vcpus[1].Descriptors.SetGdt([_guest.Frame(31).Value], 100, null));
        Assert.True(domain.Grants.TryGrow(2));
        FrameAudit.Check(_guest.Machine, [domain], [_guest.Frame(20), _guest.Frame(20)]);
        _guest.Release();
        domain.ReleaseMemory();
        Assert.Equal(XenErrno.ENOMEM, domain.AllocateMemory(1));
    }

    [Fact]
    public void ReleaseMemory_LeavesNothingOfTheOldContents()
    {
        Mfn frame = _guest.Frame(20);
        _guest.Machine.Memory.Frame(frame).Fill(0x77);
        _guest.Release();
        Assert.Equal(-1, _guest.Machine.Memory.Frame(frame).IndexOfAnyExcept((byte)0));
        Assert.Equal(ulong.MaxValue, _guest.Machine.Memory.ReadM2p(frame));
        Assert.False(_guest.Domain.MayAccess(frame, write: false));
    }

    [Fact]
    public void AReferenceThatNobodyAccountsFor_IsFoundAtTheEnd()
    {
        Assert.True(_guest.Machine.Frames.TryGetPage(_guest.Frame(20), _guest.Domain.Id));
        Assert.Throws<InvalidOperationException>(_guest.Domain.ReleaseMemory);
    }

    [Fact]
    public void MayAccess_TheMachphysTable_ForReadingOnly()
    {
        Assert.True(_guest.Domain.MayAccess(MachineMemory.FirstM2pFrame, write: false));
        Assert.False(_guest.Domain.MayAccess(MachineMemory.FirstM2pFrame, write: true));
        Assert.False(_guest.Domain.MayAccess(new Mfn(0), write: false));
        Assert.False(_guest.Domain.MayAccess(Mfn.Invalid, write: false));
    }

    [Fact]
    public void TwoDomains_DoNotReachEachOther()
    {
        using var other = new TestGuest(1, _guest.Machine);
        Assert.False(_guest.Domain.MayAccess(other.Domain.FrameOf(new Pfn(20)), write: false));
        Assert.False(other.Domain.MayAccess(_guest.Frame(20), write: false));
        other.Domain.ReleaseMemory();
        FrameAudit.Check(_guest.Machine, [_guest.Domain]);
        _guest.Release();
    }
}
