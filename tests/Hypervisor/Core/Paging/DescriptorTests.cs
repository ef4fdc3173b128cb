using Xen.Abi;
using Xen.Memory;
using static Xen.Core.Tests.Paging.PagingGuest;

namespace Xen.Core.Tests.Paging;

/// <summary>GDT and LDT: which descriptors a guest may have, and where they are read.</summary>
public sealed class DescriptorTests : IDisposable
{
    private const ulong Code64 = 0x00AF_9B00_0000_FFFF, Data = 0x00CF_9300_0000_FFFF, Ring3 = 3ul << 45;
    private const ulong TaskState = 0x0000_8900_0000_0067, CallGate = 0x0000_8C00_0000_0000, Ldt = 0x0000_8200_0000_FFFF;
    private const int Table = 16, Second = 17;

    private readonly PagingGuest _guest = new();

    public void Dispose()
    {
        _guest.Audit();
        _guest.Release();
        _guest.Dispose();
    }

    [Theory]
    [InlineData(0ul, true, 0ul)]
    [InlineData(Code64, true, Code64 | Ring3)]
    [InlineData(Data, true, Data | Ring3)]
    [InlineData(TaskState & ~(1ul << 47), true, TaskState & ~(1ul << 47))]
    [InlineData(1ul << 47, true, 1ul << 47)]
    [InlineData(TaskState, false, 0ul)]
    [InlineData(CallGate, false, 0ul)]
    [InlineData(Ldt, false, 0ul)]
    public void SetGdt_ChecksEveryDescriptor(ulong descriptor, bool lawful, ulong seen)
    {
        _guest.Poke(_guest.Frame(Table), 511, descriptor);
        _guest.Protect(Table);
        Assert.Equal(lawful ? 0 : Error(XenErrno.EINVAL), SetGdt(512, Table));
        Assert.Equal(lawful, _guest.Vcpu.Descriptors.TryReadDescriptor((511 << 3) | 3, out ulong read));
        Assert.Equal(seen, read);
    }

    [Fact]
    public void SetGdt_ReplacesTheOldTable_OrKeepsItWhenTheNewIsRefused()
    {
        _guest.Protect(Table);
        Assert.Equal(0, SetGdt(16, Table));
        Assert.True(_guest.Machine.Frames.IsValidType(_guest.Frame(Table), FrameType.SegmentDescriptors));
        Assert.Equal(Error(XenErrno.EBUSY), _guest.Map(Table, _guest.Entry(Table, P | W)));
        Assert.Equal(Error(XenErrno.EINVAL), SetGdt(1024, Table, Second));
        Assert.Equal(Error(XenErrno.EINVAL), SetGdt(1024, Table, 0));
        Assert.Equal(16, _guest.Vcpu.Descriptors.GdtEntries);
        _guest.Audit();
        _guest.Protect(Second);
        Assert.Equal(0, SetGdt(1024, Second, Second));
        _guest.Audit();
        Assert.Equal(0, SetGdt(0));
        Assert.Equal(0, _guest.Map(Table, _guest.Entry(Table, P | W)));
    }

    [Fact]
    public void Hostile_SetGdt()
    {
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Guest.Hypercall(HypercallNumber.SetGdt, Arguments, 7169));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Guest.Hypercall(HypercallNumber.SetGdt, Arguments, uint.MaxValue));
        Assert.Equal(Error(XenErrno.EFAULT), _guest.Guest.Hypercall(HypercallNumber.SetGdt, 0xDEAD_0000, 7168));
        _guest.Guest.WriteWords(Arguments, ulong.MaxValue);
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Guest.Hypercall(HypercallNumber.SetGdt, Arguments, 1));
    }

    [Theory]
    [InlineData(0xE033, 0x00AF_FB00_0000_FFFF)]
    [InlineData(0xE030, 0x00AF_FB00_0000_FFFF)]
    [InlineData(0xE02B, 0x00CF_F300_0000_FFFF)]
    [InlineData(0xE023, 0x00CF_FB00_0000_FFFF)]
    [InlineData(0xE03B, 0)]
    [InlineData(0x0010, 0)]
    [InlineData(0x000F, 0)]
    [InlineData(0xFFFF, 0)]
    public void TryReadDescriptor_KnowsTheFlatSegments(ushort selector, ulong expected)
    {
        Assert.Equal(expected != 0, _guest.Vcpu.Descriptors.TryReadDescriptor(selector, out ulong descriptor));
        Assert.Equal(expected, descriptor);
    }

    [Fact]
    public void Ldt_IsReadWhenItIsUsed_AndCheckedThen()
    {
        _guest.Guest.WriteWords(TestGuest.AddressOf(Table), 0, Data, TaskState);
        Assert.Equal(0, _guest.Extended(MmuextCommand.SetLdt, TestGuest.AddressOf(Table), 600));
        Assert.True(_guest.Vcpu.Descriptors.TryReadDescriptor((1 << 3) | 7, out ulong descriptor));
        Assert.Equal(Data | Ring3, descriptor);
        Assert.False(_guest.Vcpu.Descriptors.TryReadDescriptor((2 << 3) | 7, out _));
        Assert.False(_guest.Vcpu.Descriptors.TryReadDescriptor((600 << 3) | 7, out _));
        Assert.Equal(0, _guest.Map(Table, 0));
        Assert.False(_guest.Vcpu.Descriptors.TryReadDescriptor((1 << 3) | 7, out _));
        Assert.False(_guest.Vcpu.State.IsInGuest);
    }

    [Theory]
    [InlineData(0x1008, 1)]
    [InlineData(0x1000, 8193)]
    [InlineData(0xFFFF_8000_0000_0000, 1)]
    public void Hostile_SetLdt(ulong address, ulong entries) =>
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.SetLdt, address, entries));

    [Fact]
    public void UpdateDescriptor_WritesTablesAndOrdinaryFrames()
    {
        Assert.Equal(0, UpdateDescriptor(_guest.Frame(Table).Address + 8, Code64));
        Assert.Equal(Code64 | Ring3, _guest.Read(_guest.Frame(Table), 1));
        _guest.Protect(Table);
        Assert.Equal(0, SetGdt(512, Table));
        Assert.Equal(0, UpdateDescriptor(_guest.Frame(Table).Address + 16, Data));
        Assert.True(_guest.Vcpu.Descriptors.TryReadDescriptor(16, out ulong descriptor));
        Assert.Equal(Data | Ring3, descriptor);
    }

    [Fact]
    public void Hostile_UpdateDescriptor()
    {
        Assert.Equal(Error(XenErrno.EINVAL), UpdateDescriptor(_guest.Frame(Table).Address + 4, 0));
        Assert.Equal(Error(XenErrno.EINVAL), UpdateDescriptor(_guest.Frame(Table).Address, TaskState));
        Assert.Equal(Error(XenErrno.EINVAL), UpdateDescriptor(_guest.L1.Address, 0));
        Assert.Equal(Error(XenErrno.EINVAL), UpdateDescriptor(MachineMemory.FirstM2pFrame.Address, 0));
        Assert.Equal(Error(XenErrno.EINVAL), UpdateDescriptor(ulong.MaxValue & ~7ul, 0));
    }

    private long SetGdt(ulong entries, params int[] pages)
    {
        _guest.Guest.WriteWords(Arguments, [.. pages.Select(p => _guest.Frame(p).Value)]);
        return _guest.Guest.Hypercall(HypercallNumber.SetGdt, Arguments, entries);
    }

    private long UpdateDescriptor(ulong address, ulong descriptor) => _guest.Guest.Hypercall(HypercallNumber.UpdateDescriptor, address, descriptor);
}
