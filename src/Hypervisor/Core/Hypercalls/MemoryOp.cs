using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>memory_op: what memory the domain has, and more or less of it. <b>Source</b>: memory.h.</summary>
internal static partial class MemoryOp
{
    /// <summary>Bits of the first argument that hold the operation; the higher ones number the first extent not done yet.</summary>
    private const int ExtentShift = 6;

    private const ulong OperationMask = (1ul << ExtentShift) - 1;

    /// <summary>What the interface says the machine-to-physical table covers, whatever the size of the machine: a guest may move to a larger one.</summary>
    private const ulong HighestMfn = HypervisorLayout.Mach2PhysNrEntries - 1;

    /// <summary>Frames of the machine-to-physical table that one extent of its list stands for: 2 MiB.</summary>
    private const ulong M2pExtentFrames = 512;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>
    /// Arguments: operation (with the first extent not done yet), its structure. Reservations return the number of extents done.
    /// <b>Errors</b>: EFAULT, EINVAL, ENOSYS; EPERM and ESRCH for other domains; EACCES for what only translated guests have.
    /// </remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        var operation = (MemoryOperation)(arguments.A1 & OperationMask);
        switch (operation)
        {
            case MemoryOperation.IncreaseReservation or MemoryOperation.DecreaseReservation or MemoryOperation.PopulatePhysmap:
                return ChangeReservation(vcpu, operation, arguments);
            case MemoryOperation.Exchange:
                return Exchange(vcpu, arguments);
            case MemoryOperation.MaximumRamPage:
                return (long)vcpu.Domain.Machine.Memory.FrameCount;
            case MemoryOperation.CurrentReservation or MemoryOperation.MaximumReservation or MemoryOperation.MaximumGpfn:
                return Query(vcpu, operation, arguments.A2);
            case MemoryOperation.MemoryMap:
                return MemoryMap(vcpu, arguments.A2);
            case MemoryOperation.MachphysMapping:
                return MachphysMapping(vcpu, arguments.A2);
            case MemoryOperation.MachphysMfnList:
                return MachphysMfnList(vcpu, arguments.A2);
            case MemoryOperation.AddToPhysmap or MemoryOperation.AddToPhysmapBatch or MemoryOperation.RemoveFromPhysmap:
                return XenErrno.EACCES;
            case MemoryOperation.MachineMemoryMap or MemoryOperation.SetMemoryMap or MemoryOperation.ClaimPages or MemoryOperation.AcquireResource:
                return XenErrno.EPERM;
            case MemoryOperation.GetVnumainfo:
                return XenErrno.EOPNOTSUPP;
            default:
                return XenErrno.ENOSYS;
        }
    }

    private static HypercallResult Query(Vcpu vcpu, MemoryOperation operation, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out MemoryDomain request))
            return XenErrno.EFAULT;
        Domain domain = vcpu.Domain;
        if (!IsSelf(domain, request.Domid))
            return domain.Machine.FindDomain(request.Domid) == null ? XenErrno.ESRCH : XenErrno.EPERM;
        return operation switch
        {
            MemoryOperation.CurrentReservation => (long)domain.TotalPages,
            MemoryOperation.MaximumReservation => (long)domain.MaxPages,
            _ => HighestPfn(domain),
        };
    }

    /// <summary>A PV guest says itself how many pages it counts.</summary>
    private static long HighestPfn(Domain domain)
    {
        ulong pages = domain.Machine.Memory.ReadUInt64(domain.SharedInfoFrame.Address + SharedInfoLayout.ArchMaxPfn);
        return (long)(Math.Max(pages, 1) - 1);
    }

    /// <summary>One region of RAM, from 0 to as much memory as the domain may ever have.</summary>
    private static HypercallResult MemoryMap(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out MemoryMap map))
            return XenErrno.EFAULT;
        Domain domain = vcpu.Domain;
        ulong pages = domain.MemoryMapPages != 0 ? domain.MemoryMapPages : domain.MaxPages;
        if (map.NrEntries > 1)
            map.NrEntries = 1;
        var ram = new E820Entry { Addr = 0, Size = pages << Page.Shift, Type = E820Type.Ram };
        if (map.NrEntries == 1 && !GuestStructs.TryWrite(vcpu, map.Buffer, ram))
            return XenErrno.EFAULT;
        return GuestStructs.TryWrite(vcpu, address, map) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static HypercallResult MachphysMapping(Vcpu vcpu, ulong address)
    {
        var mapping = new MachphysMapping
        {
            VStart = HypervisorLayout.Mach2PhysVirtStart,
            VEnd = HypervisorLayout.Mach2PhysVirtEnd,
            MaxMfn = HighestMfn,
        };
        return GuestStructs.TryWrite(vcpu, address, mapping) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static HypercallResult MachphysMfnList(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out MachphysMfnList list))
            return XenErrno.EFAULT;
        ulong extents = (vcpu.Domain.Machine.Memory.M2pFrames + M2pExtentFrames - 1) / M2pExtentFrames;
        list.NrExtents = (uint)Math.Min(extents, list.MaxExtents);
        for (uint i = 0; i < list.NrExtents; i++)
        {
            if (!GuestStructs.TryWrite(vcpu, list.ExtentStart + (i * sizeof(ulong)), MachineMemory.FirstM2pFrame.Value + (i * M2pExtentFrames)))
                return XenErrno.EFAULT;
        }

        return GuestStructs.TryWrite(vcpu, address, list) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static bool IsSelf(Domain domain, DomId id) => id == DomId.Self || id == domain.Id;
}
