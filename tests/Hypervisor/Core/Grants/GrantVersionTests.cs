using Xen.Abi;
using static Xen.Core.Tests.Grants.GrantWorld;

namespace Xen.Core.Tests.Grants;

/// <summary>The two layouts, and the change between them.</summary>
public sealed class GrantVersionTests : IDisposable
{
    private const GrantEntryFlags Permit = GrantEntryFlags.PermitAccess;

    private readonly GrantWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public void VersionTwo_TellsItsUseInStatusWords()
    {
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(2));
        foreach (uint reference in (uint[])[8, 9, 300, 511])
        {
            _world.Grant(reference, _world.Mapper, 20);
            GrantHandle handle = _world.MapOkay(reference, 30);
            Assert.Equal(Permit, _world.Flags(reference));
            Assert.Equal(GrantEntryFlags.Reading | GrantEntryFlags.Writing, _world.Status(reference));
            GrantHandle reader = _world.MapOkay(reference, 31, GrantMapFlags.HostMap | GrantMapFlags.Readonly);
            Assert.Equal(GrantStatus.Okay, _world.Unmap(handle, 30));
            Assert.Equal(GrantEntryFlags.Reading, _world.Status(reference));
            Assert.Equal(GrantStatus.Okay, _world.Unmap(reader, 31));
            Assert.Equal(GrantEntryFlags.Invalid, _world.Status(reference));
        }

        Assert.Equal(GrantStatus.BadGntref, _world.Map(512, 30).Status);
        _world.Grant(9, _world.Mapper, 20, Permit | GrantEntryFlags.Readonly);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        Assert.Equal(GrantEntryFlags.Invalid, _world.Status(9));
        GrantHandle only = _world.MapOkay(9, 30, GrantMapFlags.HostMap | GrantMapFlags.Readonly);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 31).Status);
        Assert.Equal(GrantEntryFlags.Reading, _world.Status(9));
        Assert.Equal(GrantStatus.Okay, _world.Unmap(only, 30));
    }

    [Fact]
    public void SetVersion_IsRefusedWhileEntriesAreInUse()
    {
        _world.Grant(9, DomId.Dom0, 20);
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(new GrantRef(9), readOnly: true, out HostGrantHandle handle, out _));
        Assert.Equal(XenErrno.EBUSY, _world.Grants.SetVersion(2));
        Assert.Equal(1, _world.Grants.Version);
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(1));
        Assert.Equal(Permit | GrantEntryFlags.Reading, _world.Flags(9));
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(handle));
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(2));
        Assert.Equal(GrantEntryFlags.Invalid, _world.Flags(9));
        Assert.Equal(XenErrno.EINVAL, _world.Grants.SetVersion(3));
    }

    [Fact]
    public void SetVersion_KeepsTheToolstacksEntries_InUseOrNot()
    {
        _world.Grant(0, DomId.Dom0, 20);
        _world.Grant(1, DomId.Dom0, 21);
        _world.Grant(8, DomId.Dom0, 22);
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(new GrantRef(1), readOnly: false, out HostGrantHandle handle, out _));
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(2));
        Assert.Equal(Permit, _world.Flags(0));
        Assert.Equal(Permit, _world.Flags(1));
        Assert.Equal(GrantEntryFlags.Invalid, _world.Flags(8));
        Assert.Equal(GrantEntryFlags.Invalid, _world.Status(0));
        Assert.Equal(GrantEntryFlags.Reading | GrantEntryFlags.Writing, _world.Status(1));
        Assert.Equal(GrantStatus.Okay, _world.Grants.CopyToForHost(new GrantRef(0), 0, [7]));
        Assert.Equal(7, _world.Machine.Memory.Frame(Frame(_world.Granter, 20))[0]);

        _world.WriteEntry(_world.Granter, 2, Permit | GrantEntryFlags.SubPage, DomId.Dom0, 5);
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(1));
        Assert.Equal(Permit, _world.Flags(0));
        Assert.Equal(Permit | GrantEntryFlags.Reading | GrantEntryFlags.Writing, _world.Flags(1));
        Assert.Equal(GrantEntryFlags.Invalid, _world.Flags(2));
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(handle));
        Assert.Equal(Permit, _world.Flags(1));
    }

    [Fact]
    public void SetVersion_ToOne_IsRefusedWhileStatusFramesAreMapped()
    {
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(2));
        Assert.True(_world.Grants.TryGetStatusFrame(0, out Mfn status));
        Assert.Equal(0, SetEntry(_world.Granter, 40, status.Address | P));
        Assert.Equal(XenErrno.EBUSY, _world.Grants.SetVersion(1));
        Assert.Equal(0, SetEntry(_world.Granter, 40, 0));
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(1));
        Assert.False(_world.Grants.TryGetStatusFrame(0, out _));
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(2u)]
    public void Swap_ExchangesEntriesThatAreNotInUse(uint version)
    {
        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(version));
        _world.Grant(9, _world.Mapper, 20, Permit | GrantEntryFlags.Readonly);
        _world.Grant(10, _world.Mapper, 21);
        Assert.Equal(GrantStatus.Okay, _world.Swap(9, 10));
        Assert.Equal(Permit, _world.Flags(9));
        GnttabMapGrantRef mapped = _world.Map(9, 30);
        Assert.Equal(Frame(_world.Granter, 21).Address, mapped.DevBusAddr);
        Assert.Equal(GrantStatus.Eagain, _world.Swap(9, 10));
        Assert.Equal(GrantStatus.Okay, _world.Swap(9, 9));
        Assert.Equal(GrantStatus.BadGntref, _world.Swap(9, 1024));
        Assert.Equal(GrantStatus.Okay, _world.Unmap(mapped.Handle, 30));
        Assert.Equal(GrantStatus.Okay, _world.Swap(10, 9));
        Assert.Equal(Permit | GrantEntryFlags.Readonly, _world.Flags(9));
    }
}
