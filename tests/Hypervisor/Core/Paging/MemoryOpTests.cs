using Xen.Abi;
using Xen.Memory;
using static Xen.Core.Tests.Paging.PagingGuest;

namespace Xen.Core.Tests.Paging;

/// <summary>memory_op: reservations and what a domain is told of its memory.</summary>
public sealed class MemoryOpTests : IDisposable
{
    private const int First = 16, Spare = 4;
    private const ulong List = 0x400;

    private readonly PagingGuest _guest = new();

    public void Dispose()
    {
        _guest.Audit();
        _guest.Release();
        _guest.Dispose();
    }

    [Fact]
    public void BalloonDownAndUp()
    {
        Mfn frame = _guest.Frame(First);
        _guest.Machine.Memory.Frame(frame).Fill(0x55);
        ulong free = _guest.Machine.Allocator.FreeFrames;
        Assert.Equal(0, _guest.Map(First, 0));
        Assert.Equal(1, Reserve(MemoryOperation.DecreaseReservation, 0, [frame.Value]));
        Assert.Equal(63ul, _guest.Domain.TotalPages);
        Assert.Equal(free + 1, _guest.Machine.Allocator.FreeFrames);
        Assert.Equal(ulong.MaxValue, _guest.Machine.Memory.ReadM2p(frame));
        Assert.False(_guest.Domain.MayAccess(frame, write: false));

        Assert.Equal(1, Reserve(MemoryOperation.PopulatePhysmap, 0, [First]));
        var fresh = new Mfn(_guest.Guest.ReadWords(Arguments + List, 1)[0]);
        Assert.Equal((ulong)First, _guest.Machine.Memory.ReadM2p(fresh));
        Assert.Equal(-1, _guest.Machine.Memory.Frame(fresh).IndexOfAnyExcept((byte)0));
        Assert.Equal(0, _guest.Map(First, fresh.Address | P | W));
    }

    [Fact]
    public void AFreedFrame_HasNoTranslationLeft()
    {
        // The guest unmaps the page without a flush, and gives it back.
        foreach (Vcpu vcpu in _guest.Domain.Vcpus)
            vcpu.State.KernelTlb.Fill(TestGuest.AddressOf(First), 0, write: true);
        Assert.Equal(0, _guest.Map(First, 0));
        Assert.Equal(1, Reserve(MemoryOperation.DecreaseReservation, 0, [_guest.Frame(First).Value]));
        foreach (Vcpu vcpu in _guest.Domain.Vcpus)
        {
            vcpu.State.EnterGuest();
            vcpu.State.LeaveGuest();
            Assert.False(vcpu.State.KernelTlb.CanRead(TestGuest.AddressOf(First)));
        }
    }

    [Fact]
    public void Populate_StopsAtTheLimit()
    {
        _guest.Domain.MaxPages = 66;
        Assert.Equal(2, Reserve(MemoryOperation.PopulatePhysmap, 0, [100, 101, 102, 103]));
        Assert.Equal(66ul, _guest.Domain.TotalPages);
        Assert.Equal(0, Reserve(MemoryOperation.IncreaseReservation, 0, [0, 0]));
    }

    [Fact]
    public void Populate_OfLargeExtents_GivesAlignedRuns()
    {
        _guest.Domain.MaxPages = 1000;
        Assert.Equal(2, Reserve(MemoryOperation.PopulatePhysmap, 4, [0x100, 0x200]));
        foreach ((ulong first, ulong pfn) in _guest.Guest.ReadWords(Arguments + List, 2).Zip(new ulong[] { 0x100, 0x200 }))
        {
            Assert.Equal(0ul, first & 15);
            for (ulong i = 0; i < 16; i++)
            {
                Assert.True(_guest.Machine.Frames.IsOwnedBy(new Mfn(first + i), _guest.Domain.Id));
                Assert.Equal(pfn + i, _guest.Machine.Memory.ReadM2p(new Mfn(first + i)));
            }
        }

        Assert.Equal(0, Reserve(MemoryOperation.PopulatePhysmap, 10, [0]));
    }

    [Fact]
    public void Populate_HonoursAddressBits()
    {
        _guest.Domain.MaxPages = 1000;
        Assert.Equal(0, Reserve(MemoryOperation.PopulatePhysmap, 0, [100], flags: 13));
        Assert.Equal(64ul, _guest.Domain.TotalPages);
        Assert.Equal(1, Reserve(MemoryOperation.PopulatePhysmap, 0, [100], flags: 32));
    }

    [Fact]
    public void Populate_WhenTheMachineIsFull_SaysHowFarItGot()
    {
        _guest.Domain.MaxPages = ulong.MaxValue / 2;
        while (_guest.Machine.Allocator.FreeFrames > 1)
            Assert.True(_guest.Machine.TryAllocateShared(_guest.Domain.Id, out _));
        Assert.Equal(1, Reserve(MemoryOperation.PopulatePhysmap, 0, [100, 101]));
        for (ulong i = 0; i < _guest.Machine.Memory.FrameCount; i++)
        {
            if (_guest.Machine.Frames.IsShared(new Mfn(i)) && new Mfn(i) != _guest.Domain.SharedInfoFrame)
                _guest.Machine.FreeShared(new Mfn(i));
        }
    }

    [Fact]
    public void Hostile_DecreaseOfATableOrMappedPage_KeepsItUntilItsLastUse()
    {
        _guest.Protect(First);
        Assert.Equal(0, _guest.Pin(1, First));
        Mfn frame = _guest.Frame(First);
        Assert.Equal(1, Reserve(MemoryOperation.DecreaseReservation, 0, [frame.Value]));
        Assert.Equal(0, Reserve(MemoryOperation.DecreaseReservation, 0, [frame.Value]));
        Assert.Equal(64ul, _guest.Domain.TotalPages);
        Assert.Equal(1, _guest.Machine.Frames.TableLevel(frame));
        _guest.Audit();
        Assert.Equal(0, _guest.Map(First, 0));
        Assert.Equal(0, _guest.Unpin(First));
        Assert.Equal(63ul, _guest.Domain.TotalPages);
        Assert.False(_guest.Machine.Frames.IsInUse(frame));
    }

    [Fact]
    public void Hostile_Decrease_OfWhatIsNotTheDomains_GivesNothing()
    {
        ulong[] frames = [0, MachineMemory.FirstM2pFrame.Value, _guest.Domain.SharedInfoFrame.Value, 4095, 4096, ulong.MaxValue, ulong.MaxValue >> 12];
        foreach (ulong frame in frames)
        {
            Assert.Equal(0, Reserve(MemoryOperation.DecreaseReservation, 0, [frame]));
            Assert.Equal(0, Reserve(MemoryOperation.DecreaseReservation, 9, [frame]));
        }
    }

    [Fact]
    public void Hostile_Requests()
    {
        Assert.Equal(Error(XenErrno.EFAULT), Operation(MemoryOperation.PopulatePhysmap, 0xDEAD_0000));
        Assert.Equal(0, Reserve(MemoryOperation.PopulatePhysmap, uint.MaxValue, [1]));
        Assert.Equal(0, Reserve(MemoryOperation.PopulatePhysmap, 0, [1], domain: 55));
        _guest.Guest.Write(Arguments, new MemoryReservation { ExtentStart = 0xDEAD_0000, NrExtents = ulong.MaxValue, Domid = DomId.Self });
        Assert.Equal(0, Operation(MemoryOperation.DecreaseReservation, Arguments));
        _guest.Guest.Write(Arguments, new MemoryReservation { ExtentStart = 0xDEAD_0000, NrExtents = 1ul << 57, Domid = DomId.Self });
        Assert.Equal(0, Operation(MemoryOperation.DecreaseReservation, Arguments));
        Assert.Equal(5, _guest.Guest.Hypercall(HypercallNumber.MemoryOp, (5 << 6) | (ulong)MemoryOperation.DecreaseReservation, Arguments));
    }

    [Fact]
    public void Exchange_GivesAsManyOthers()
    {
        Assert.Equal(0, _guest.Map(First, 0));
        Mfn old = _guest.Frame(First);
        WriteExchange([old.Value, _guest.Frame(Spare).Value], 0, [First, 17], 0);
        Assert.Equal(0, Operation(MemoryOperation.Exchange, Arguments));
        Assert.Equal(2ul, _guest.Guest.Read<MemoryExchange>(Arguments).NrExchanged);
        ulong[] fresh = _guest.Guest.ReadWords(Arguments + List + 0x100, 2);
        Assert.Equal([First, 17ul], fresh.Select(f => _guest.Machine.Memory.ReadM2p(new Mfn(f))));
        Assert.Equal(64ul, _guest.Domain.TotalPages);
        Assert.NotEqual(old.Value, fresh[0]);
    }

    [Fact]
    public void Exchange_MakesLargeExtents()
    {
        WriteExchange([_guest.Frame(4).Value, _guest.Frame(5).Value, _guest.Frame(6).Value, _guest.Frame(7).Value], 0, [0x40], 2);
        Assert.Equal(0, Operation(MemoryOperation.Exchange, Arguments));
        ulong first = _guest.Guest.ReadWords(Arguments + List + 0x100, 1)[0];
        Assert.Equal(0ul, first & 3);
        Assert.Equal(0x43ul, _guest.Machine.Memory.ReadM2p(new Mfn(first + 3)));
    }

    [Fact]
    public void Hostile_Exchange_OfUsedFrames_OrOneTwice_ChangesNothing()
    {
        foreach (ulong[] given in new ulong[][] { [_guest.L1.Value], [_guest.Frame(First).Value], [3], [4096], [_guest.Domain.SharedInfoFrame.Value] })
        {
            WriteExchange(given, 0, [1], 0);
            Assert.Equal(Error(XenErrno.EINVAL), Operation(MemoryOperation.Exchange, Arguments));
        }

        WriteExchange([_guest.Frame(Spare).Value, _guest.Frame(Spare).Value], 0, [1], 1);
        Assert.Equal(Error(XenErrno.EINVAL), Operation(MemoryOperation.Exchange, Arguments));
        WriteExchange([_guest.Frame(Spare).Value], 0, [1, 2], 0);
        Assert.Equal(Error(XenErrno.EINVAL), Operation(MemoryOperation.Exchange, Arguments));
        WriteExchange([_guest.Frame(Spare).Value], 20, [1], 20);
        Assert.Equal(Error(XenErrno.EPERM), Operation(MemoryOperation.Exchange, Arguments));
        Assert.Equal(64ul, _guest.Domain.TotalPages);
    }

    [Fact]
    public void MemoryMap_IsOneRegionOfRam()
    {
        _guest.Domain.MemoryMapPages = 0x1234;
        _guest.Guest.Write(Arguments, new MemoryMap { NrEntries = 128, Buffer = Arguments + List });
        Assert.Equal(0, Operation(MemoryOperation.MemoryMap, Arguments));
        Assert.Equal(1u, _guest.Guest.Read<MemoryMap>(Arguments).NrEntries);
        E820Entry ram = _guest.Guest.Read<E820Entry>(Arguments + List);
        Assert.Equal((0ul, 0x1234ul << 12, E820Type.Ram), (ram.Addr, ram.Size, ram.Type));
    }

    [Fact]
    public void Queries()
    {
        _guest.Domain.MaxPages = 99;
        _guest.Guest.Write(Arguments, DomId.Self.Value);
        Assert.Equal(64, Operation(MemoryOperation.CurrentReservation, Arguments));
        Assert.Equal(99, Operation(MemoryOperation.MaximumReservation, Arguments));
        Assert.Equal(0, Operation(MemoryOperation.MaximumGpfn, Arguments));
        Assert.Equal(4096, Operation(MemoryOperation.MaximumRamPage, 0));
        _guest.Guest.Write(Arguments, (ushort)9);
        Assert.Equal(Error(XenErrno.ESRCH), Operation(MemoryOperation.CurrentReservation, Arguments));
        Assert.Equal(Error(XenErrno.EACCES), Operation(MemoryOperation.AddToPhysmap, Arguments));
        Assert.Equal(Error(XenErrno.EPERM), Operation(MemoryOperation.MachineMemoryMap, Arguments));
        Assert.Equal(Error(XenErrno.ENOSYS), Operation((MemoryOperation)63, Arguments));
    }

    [Fact]
    public void MachphysTable_IsWhereTheGuestIsTold()
    {
        Assert.Equal(0, Operation(MemoryOperation.MachphysMapping, Arguments));
        MachphysMapping mapping = _guest.Guest.Read<MachphysMapping>(Arguments);
        Assert.Equal((ulong)First, _guest.Guest.Read<ulong>(mapping.VStart + (_guest.Frame(First).Value * 8)));
        Assert.False(GuestAccess.CanWrite(_guest.Vcpu, mapping.VStart, 8));

        _guest.Guest.Write(Arguments, new MachphysMfnList { MaxExtents = 4, ExtentStart = Arguments + List });
        Assert.Equal(0, Operation(MemoryOperation.MachphysMfnList, Arguments));
        Assert.Equal(1u, _guest.Guest.Read<MachphysMfnList>(Arguments).NrExtents);
        Assert.Equal(MachineMemory.FirstM2pFrame.Value, _guest.Guest.ReadWords(Arguments + List, 1)[0]);
    }

    private long Operation(MemoryOperation operation, ulong argument) =>
        _guest.Guest.Hypercall(HypercallNumber.MemoryOp, (ulong)operation, argument);

    private long Reserve(MemoryOperation operation, uint order, ulong[] extents, uint flags = 0, ushort domain = 0x7FF0)
    {
        _guest.Guest.WriteWords(Arguments + List, extents);
        _guest.Guest.Write(Arguments, new MemoryReservation
        {
            ExtentStart = Arguments + List,
            NrExtents = (ulong)extents.Length,
            ExtentOrder = order,
            MemFlags = (MemoryReservationFlags)flags,
            Domid = new DomId(domain),
        });
        return Operation(operation, Arguments);
    }

    private void WriteExchange(ulong[] given, uint inOrder, ulong[] pages, uint outOrder)
    {
        _guest.Guest.WriteWords(Arguments + List, given);
        _guest.Guest.WriteWords(Arguments + List + 0x100, pages);
        _guest.Guest.Write(Arguments, new MemoryExchange
        {
            In = new MemoryReservation { ExtentStart = Arguments + List, NrExtents = (ulong)given.Length, ExtentOrder = inOrder, Domid = DomId.Self },
            Out = new MemoryReservation { ExtentStart = Arguments + List + 0x100, NrExtents = (ulong)pages.Length, ExtentOrder = outOrder, Domid = DomId.Self },
        });
    }
}
