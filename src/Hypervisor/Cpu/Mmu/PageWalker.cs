using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu;

/// <summary>What an access wants of a page.</summary>
public enum MemoryAccess : byte
{
    Read,
    Write,
    Execute,
}

/// <summary>The outcome of a page walk.</summary>
/// <param name="Present">Whether the access is lawful; if not, <paramref name="ErrorCode"/> is for #PF.</param>
/// <param name="Frame">The frame; also set when only the write permission is missing (<see cref="IsWriteProtected"/>).</param>
/// <param name="Writable">The page may be written and its dirty bit is set.</param>
/// <param name="Executable">Code may be fetched.</param>
/// <param name="ErrorCode">Error code of the page fault, without the user bit's correction for kernel mode.</param>
public readonly record struct Translation(bool Present, Mfn Frame, bool Writable, bool Executable, uint ErrorCode)
{
    /// <summary>A write failed only because a level says read-only.</summary>
    public bool IsWriteProtected => !Present && (ErrorCode & 0x1B) == 0x3 && Frame != Mfn.Invalid;
}

/// <summary>
/// Walks a guest's page tables, four levels, as the processor does in ring 3: a page needs the user bit on every level
/// (the hypervisor adds it to a PV kernel's own entries), and sets accessed and dirty bits.
/// </summary>
/// <remarks>The tables are in machine memory and hold machine frame numbers; every entry was validated when it was written.
/// The range from <see cref="HypervisorStart"/> belongs to the hypervisor: there a guest sees the machine-to-physical table, read-only, and nothing else.</remarks>
public static class PageWalker
{
    /// <summary>Start of the hypervisor's hole, where the machine-to-physical table lies. <b>Source</b>: arch-x86/xen-x86_64.h, HYPERVISOR_VIRT_START.</summary>
    public const ulong HypervisorStart = 0xFFFF_8000_0000_0000;

    /// <summary>First address behind the hypervisor's hole.</summary>
    public const ulong HypervisorEnd = 0xFFFF_8800_0000_0000;

    private const ulong PtePresent = 1, PteWrite = 2, PteUser = 4, PteAccessed = 0x20, PteDirty = 0x40, PteNoExecute = 1ul << 63;
    private const ulong PteFrameMask = 0x000F_FFFF_FFFF_F000;
    private const uint ErrorPresent = 1, ErrorWrite = 2, ErrorUser = 4, ErrorFetch = 16;

    /// <summary>Translates an address in the given root table and checks the access. Bits A and D are set only when the access is lawful.</summary>
    public static Translation Walk(MachineMemory memory, Mfn root, ulong linearAddress, MemoryAccess access)
    {
        uint error = ErrorUser | (access == MemoryAccess.Write ? ErrorWrite : access == MemoryAccess.Execute ? ErrorFetch : 0);
        if (linearAddress - HypervisorStart < HypervisorEnd - HypervisorStart)
            return WalkHypervisor(memory, linearAddress, access, error);

        if (!memory.Contains(root))
            return new Translation(false, Mfn.Invalid, false, false, error);

        ulong table = root.Address;
        ulong permissions = PteWrite | PteUser;
        ulong noExecute = 0;
        ulong address = 0;
        ulong entry = 0;
        for (int shift = 39; shift >= 12; shift -= 9)
        {
            address = table + (((linearAddress >> shift) & 511) << 3);
            entry = memory.ReadUInt64(address);
            if ((entry & PtePresent) == 0)
                return new Translation(false, Mfn.Invalid, false, false, error);
            permissions &= entry;
            noExecute |= entry & PteNoExecute;
            table = entry & PteFrameMask;
            if (!memory.Contains(Mfn.FromAddress(table)))
                return new Translation(false, Mfn.Invalid, false, false, error);
            if (shift > 12 && (entry & PteAccessed) == 0)
                SetBits(memory, address, entry, PteAccessed);
        }

        Mfn frame = Mfn.FromAddress(table);
        bool write = (permissions & PteWrite) != 0;
        if ((permissions & PteUser) == 0
            || (access == MemoryAccess.Write && !write)
            || (access == MemoryAccess.Execute && noExecute != 0))
        {
            return new Translation(false, frame, write, noExecute == 0, error | ErrorPresent);
        }

        ulong wanted = access == MemoryAccess.Write ? PteAccessed | PteDirty : PteAccessed;
        bool dirty = (entry & PteDirty) != 0 || access == MemoryAccess.Write;
        if ((entry & wanted) != wanted && !SetBits(memory, address, entry, wanted))
            return Walk(memory, root, linearAddress, access);
        return new Translation(true, frame, write && dirty, noExecute == 0, 0);
    }

    private static Translation WalkHypervisor(MachineMemory memory, ulong linearAddress, MemoryAccess access, uint error)
    {
        ulong index = (linearAddress - HypervisorStart) >> Page.Shift;
        if (index >= memory.M2pFrames)
            return new Translation(false, Mfn.Invalid, false, false, error);
        if (access != MemoryAccess.Read)
            return new Translation(false, Mfn.Invalid, false, false, error | ErrorPresent);
        return new Translation(true, MachineMemory.FirstM2pFrame + index, false, false, 0);
    }

    /// <summary>Sets bits in an entry if it is still what was read; another vCPU may be changing it.</summary>
    private static bool SetBits(MachineMemory memory, ulong address, ulong entry, ulong bits) =>
        Interlocked.CompareExchange(ref memory.Ref<ulong>(address), entry | bits, entry) == entry;
}
