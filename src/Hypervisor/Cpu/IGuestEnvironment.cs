using Xen.Abi;

namespace Xen.Cpu;

/// <summary>What an engine needs from the hypervisor while guest code runs. Implemented by the domain; called on the vCPU's thread.</summary>
public interface IGuestEnvironment
{
    /// <summary>
    /// The second isolation check: may this domain reach the frame? Asked whenever a translation is filled, after the page walk.
    /// Takes no lock.
    /// </summary>
    bool MayAccess(Mfn frame, bool write);

    /// <summary>
    /// Whether a write to this frame through a read-only mapping, by kernel code, is to be emulated as a page-table update:
    /// the frame is one of the domain's own page tables and the guest has asked for writable page tables. Takes no lock.
    /// </summary>
    bool IsEmulatedPageTable(Mfn frame);

    /// <summary>
    /// Emulates a write of one page-table entry: validates the new value and, when the entry still holds <paramref name="expected"/>, stores it.
    /// Called outside of the guest (see <see cref="VcpuState.LeaveGuest"/>); may lock and wait.
    /// </summary>
    /// <param name="vcpu">The vCPU whose instruction it is.</param>
    /// <param name="frame">The page table.</param>
    /// <param name="index">The entry, 0 to 511.</param>
    /// <param name="expected">What the instruction read.</param>
    /// <param name="value">What it wants to write.</param>
    PageTableWrite WritePageTable(VcpuState vcpu, Mfn frame, int index, ulong expected, ulong value);

    /// <summary>
    /// Makes every other vCPU that may have a writable translation of the frame drop it, and waits until it has: code is about to be decoded
    /// from the frame, and later writes must be seen. Called outside of the guest.
    /// </summary>
    void RevokeWrites(VcpuState vcpu, Mfn frame);

    /// <summary>CPUID as this guest sees it when it executes the instruction.</summary>
    void Cpuid(VcpuState vcpu, uint leaf, uint subleaf, out uint eax, out uint ebx, out uint ecx, out uint edx);

    /// <summary>
    /// Reads a descriptor from the guest's GDT or LDT, for an instruction that loads or asks about a selector. False: there is none.
    /// The flat selectors that every guest has are not asked for.
    /// </summary>
    bool TryReadDescriptor(VcpuState vcpu, ushort selector, out ulong descriptor);

    /// <summary>The guest's time-stamp counter. <b>Units</b>: ticks of <c>1 GHz</c>, the frequency that the paravirtual clock publishes.</summary>
    ulong ReadTsc();
}

/// <summary>What became of an emulated page-table write.</summary>
public enum PageTableWrite : byte
{
    /// <summary>The entry holds the new value.</summary>
    Done,

    /// <summary>The entry had changed meanwhile: the instruction is to be executed again.</summary>
    Changed,

    /// <summary>The new value is not lawful: the guest gets the page fault.</summary>
    Refused,
}
