using Xen.Abi;
using static Xen.Core.Tests.Grants.GrantWorld;

namespace Xen.Core.Tests.Grants;

/// <summary>Copies by grant, of whole pages, parts, and grants that are passed on; transfers.</summary>
public sealed class GrantCopyTests : IDisposable
{
    private const GrantEntryFlags Permit = GrantEntryFlags.PermitAccess;
    private const GrantCopyFlags FromGrant = GrantCopyFlags.SourceGref, ToGrant = GrantCopyFlags.DestGref, Both = FromGrant | ToGrant;

    private readonly GrantWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public void Copy_BetweenOwnAndGrantedPages()
    {
        _world.Grant(9, _world.Mapper, 20, Permit | GrantEntryFlags.Readonly);
        _world.Grant(10, _world.Mapper, 21);
        _world.Granter.WriteWords(TestGuest.AddressOf(20) + 8, 0xAAAA);
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfGrant(9, 8), _world.OfOwn(30, 16), 8, FromGrant));
        Assert.Equal(0xAAAAul, _world.Mapper.Read<ulong>(TestGuest.AddressOf(30) + 16));
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfOwn(30, 16), _world.OfGrant(10), 8, ToGrant));
        Assert.Equal(0xAAAAul, _world.Granter.Read<ulong>(TestGuest.AddressOf(21)));
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfGrant(9), _world.OfGrant(10), 4096, Both));
        Assert.Equal(0xAAAAul, _world.Granter.Read<ulong>(TestGuest.AddressOf(21) + 8));
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfOwn(30, 16), _world.OfOwn(31), 8, GrantCopyFlags.None));
        Assert.Equal(0xAAAAul, _world.Mapper.Read<ulong>(TestGuest.AddressOf(31)));
        Assert.Equal(Permit, _world.Flags(10));
        Assert.Equal(default, _world.Grants.Audit());
        _world.Audit();
    }

    [Fact]
    public void Hostile_Copy()
    {
        _world.Grant(9, _world.Mapper, 20, Permit | GrantEntryFlags.Readonly);
        GnttabCopyPtr own = _world.OfOwn(30);
        Assert.Equal(GrantStatus.BadCopyArg, _world.Copy(_world.OfGrant(9, 1), own, 4096, FromGrant));
        Assert.Equal(GrantStatus.BadCopyArg, _world.Copy(own, _world.OfGrant(9, 65535), 65535, ToGrant));
        Assert.Equal(GrantStatus.GeneralError, _world.Copy(own, _world.OfGrant(9), 8, ToGrant));
        Assert.Equal(GrantStatus.GeneralError, _world.Copy(_world.OfGrant(10), own, 8, FromGrant));
        Assert.Equal(GrantStatus.BadGntref, _world.Copy(_world.OfGrant(5000), own, 8, FromGrant));
        Assert.Equal(GrantStatus.BadDomain, _world.Copy(new GnttabCopyPtr { U = 9, Domid = new DomId(88) }, own, 8, FromGrant));
        Assert.Equal(GrantStatus.BadDomain, _world.Copy(new GnttabCopyPtr { U = 9, Domid = DomId.Invalid }, own, 8, FromGrant));
        Assert.Equal(GrantStatus.PermissionDenied, _world.Copy(new GnttabCopyPtr { U = Frame(_world.Granter, 20).Value, Domid = _world.Granter.Domain.Id }, own, 8, GrantCopyFlags.None));
        Assert.Equal(GrantStatus.BadPage, _world.Copy(new GnttabCopyPtr { U = Frame(_world.Granter, 20).Value, Domid = DomId.Self }, own, 8, GrantCopyFlags.None));
        Assert.Equal(GrantStatus.BadPage, _world.Copy(own, new GnttabCopyPtr { U = ulong.MaxValue, Domid = DomId.Self }, 8, GrantCopyFlags.None));
        Assert.Equal(GrantStatus.GeneralError, _world.Copy(own, _world.OfOwn(3), 8, GrantCopyFlags.None));
        Assert.Equal(GrantStatus.GeneralError, _world.Copy(_world.OfGrant(9), _world.OfOwn(2), 8, FromGrant));
        Assert.Equal(Permit | GrantEntryFlags.Readonly, _world.Flags(9));
        Assert.Equal(default, _world.Grants.Audit());
        _world.Audit();
    }

    [Fact]
    public void SubPage_CopiesItsPartOnly()
    {
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(2));
        Part(9, 100, 50);
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfGrant(9, 100), _world.OfOwn(30), 50, FromGrant));
        Assert.Equal(GrantStatus.GeneralError, _world.Copy(_world.OfGrant(9, 99), _world.OfOwn(30), 50, FromGrant));
        Assert.Equal(GrantStatus.GeneralError, _world.Copy(_world.OfGrant(9, 100), _world.OfOwn(30), 51, FromGrant));
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfOwn(30), _world.OfGrant(9, 120), 30, ToGrant));
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        Part(9, 4000, 97);
        Assert.Equal(GrantStatus.GeneralError, _world.Copy(_world.OfGrant(9, 4000), _world.OfOwn(30), 50, FromGrant));
        Assert.Equal(GrantEntryFlags.Invalid, _world.Status(9));
        _world.Audit();

        void Part(uint reference, uint offset, uint length) =>
            _world.WriteEntry(_world.Granter, reference, Permit | GrantEntryFlags.SubPage, _world.Mapper.Domain.Id, Frame(_world.Granter, 20).Value, offset | (length << 16));
    }

    [Fact]
    public void Transitive_PassesOnAnothersGrant()
    {
        // The third grants to the granter, who passes that on to the mapper.
        TestGuest third = _world.Add();
        Assert.True(third.Domain.Grants.TryGrow(1));
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(2));
        _world.Grant(40, _world.Granter, 22, from: third);
        _world.WriteEntry(_world.Granter, 9, GrantEntryFlags.Transitive, _world.Mapper.Domain.Id, 40, third.Domain.Id.Value);
        third.WriteWords(TestGuest.AddressOf(22), 0xBEEF);
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfGrant(9), _world.OfOwn(30), 8, FromGrant));
        Assert.Equal(0xBEEFul, _world.Mapper.Read<ulong>(TestGuest.AddressOf(30)));
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfOwn(30), _world.OfGrant(9, 8), 8, ToGrant));
        Assert.Equal(0xBEEFul, third.Read<ulong>(TestGuest.AddressOf(22) + 8));
        Assert.Equal(GrantStatus.Okay, _world.Copy(_world.OfGrant(9), _world.OfGrant(9, 64), 8, Both));
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        Assert.Equal(Permit, _world.Flags(40, third));
        Assert.Equal(GrantEntryFlags.Invalid, _world.Status(9));
        Assert.Equal(default, third.Domain.Grants.Audit());
        Assert.Equal(default, _world.Grants.Audit());
        _world.Audit();
    }

    [Fact]
    public void Hostile_Transitive()
    {
        TestGuest third = _world.Add();
        Assert.True(third.Domain.Grants.TryGrow(1));
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(2));
        Assert.Equal(XenErrno.OK, third.Domain.Grants.SetVersion(2));
        Pass(_world.Granter, _world.Mapper, _world.Granter, 10);
        Assert.Equal(GrantStatus.GeneralError, Try());
        Pass(_world.Granter, _world.Mapper, third, 10);
        Assert.Equal(GrantStatus.GeneralError, Try());
        Pass(_world.Granter, _world.Mapper, third, 99999);
        Assert.Equal(GrantStatus.BadGntref, Try());

        // Twice is once too often.
        Pass(third, _world.Granter, _world.Mapper, 9);
        Pass(_world.Granter, _world.Mapper, third, 9);
        Assert.Equal(GrantStatus.GeneralError, Try());
        _world.WriteEntry(_world.Granter, 9, GrantEntryFlags.Transitive, _world.Mapper.Domain.Id, 9, 999);
        Assert.Equal(GrantStatus.GeneralError, Try());
        Assert.Equal(GrantEntryFlags.Invalid, _world.Status(9));
        Assert.Equal(default, third.Domain.Grants.Audit());
        Assert.Equal(default, _world.Grants.Audit());

        GrantStatus Try() => _world.Copy(_world.OfGrant(9), _world.OfOwn(30), 8, FromGrant);

        void Pass(TestGuest by, TestGuest to, TestGuest granter, uint reference) =>
            _world.WriteEntry(by, 9, GrantEntryFlags.Transitive, to.Domain.Id, reference, granter.Domain.Id.Value);
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(2u)]
    public void Transfer_MovesAFrame(uint version)
    {
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(version));
        Mfn frame = Frame(_world.Mapper, 40);
        _world.Mapper.WriteWords(TestGuest.AddressOf(40), 0x5151);
        Assert.Equal(GrantStatus.BadPage, _world.Transfer(frame.Value, _world.Granter.Domain.Id, 9));
        Assert.Equal(0, SetEntry(_world.Mapper, 40, 0));
        Assert.Equal(GrantStatus.BadDomain, _world.Transfer(frame.Value, new DomId(77), 9));
        Assert.Equal(GrantStatus.GeneralError, _world.Transfer(frame.Value, _world.Granter.Domain.Id, 9));
        _world.WriteEntry(_world.Granter, 9, GrantEntryFlags.AcceptTransfer, _world.Mapper.Domain.Id, 1000);
        Assert.Equal(GrantStatus.GeneralError, _world.Transfer(frame.Value, _world.Granter.Domain.Id, 9));
        Assert.Equal(GrantEntryFlags.AcceptTransfer, _world.Flags(9));
        Assert.Equal(64ul, _world.Mapper.Domain.TotalPages);
        _world.Audit();

        _world.Granter.Domain.MaxPages++;
        Assert.Equal(GrantStatus.Okay, _world.Transfer(frame.Value, _world.Granter.Domain.Id, 9));
        Assert.Equal((uint)GrantEntryFlags.AcceptTransfer | (uint)(GrantTransferFlags.Committed | GrantTransferFlags.Completed), (uint)_world.Flags(9));
        Assert.Equal(1000ul, _world.Machine.Memory.ReadM2p(frame));
        Assert.Equal(63ul, _world.Mapper.Domain.TotalPages);
        Assert.Equal(65ul, _world.Granter.Domain.TotalPages);
        Assert.False(_world.Mapper.Domain.MayAccess(frame, write: false));
        Assert.Equal(0, SetEntry(_world.Granter, 40, frame.Address | P | W));
        Assert.Equal(0x5151ul, _world.Granter.Read<ulong>(TestGuest.AddressOf(40)));
        Assert.Equal(GrantStatus.BadPage, _world.Transfer(frame.Value, _world.Granter.Domain.Id, 9));
        _world.Audit();
    }

    [Fact]
    public void Hostile_Transfer_OfAFrameInUse()
    {
        _world.Granter.Domain.MaxPages += 9;
        _world.WriteEntry(_world.Granter, 9, GrantEntryFlags.AcceptTransfer, _world.Mapper.Domain.Id, 0);
        Assert.True(_world.Mapper.Domain.Grants.TryGrow(1));
        _world.Grant(10, DomId.Dom0, 40, from: _world.Mapper);
        Assert.Equal(0, SetEntry(_world.Mapper, 40, 0));
        Assert.Equal(GrantStatus.Okay, _world.Mapper.Domain.Grants.MapForHost(new GrantRef(10), readOnly: true, out HostGrantHandle handle, out Mfn frame));
        foreach (ulong bad in (ulong[])[frame.Value, Frame(_world.Mapper, 3).Value, Frame(_world.Granter, 40).Value, _world.Mapper.Domain.SharedInfoFrame.Value, 0, ulong.MaxValue])
            Assert.Equal(GrantStatus.BadPage, _world.Transfer(bad, _world.Granter.Domain.Id, 9));
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(handle));
        Assert.Equal(GrantStatus.Okay, _world.Transfer(frame.Value, _world.Granter.Domain.Id, 9));

        // It is the other's now: the grant of before is void.
        Assert.Equal(GrantStatus.BadPage, _world.Mapper.Domain.Grants.MapForHost(new GrantRef(10), readOnly: true, out _, out _));
    }
}
