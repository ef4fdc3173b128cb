using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// A vCPU's vcpu_info, wherever it lies: in the shared_info page at first, later in a frame of the guest's choice. A living structure that guest and hypervisor write.
/// </summary>
/// <remarks>
/// <code>
///  0 evtchn_upcall_pending (byte)   both write; the guest clears
///  1 evtchn_upcall_mask    (byte)   guest writes; we set it when we enter the guest
///  8 evtchn_pending_sel    (word)   both, atomically
/// 16 arch.cr2                       we write
/// 32 time (vcpu_time_info)          we write
/// 64 end
/// </code>
/// Threads: any; every operation is atomic. The location changes under the domain's <see cref="Domain.EventLock"/> while the vCPU is not in its guest.
/// <b>Source</b>: xen.h, vcpu_info; arch-x86/xen-x86_64.h, arch_vcpu_info.
/// </remarks>
public sealed class VcpuInfoPage
{
    /// <summary>Size of the structure.</summary>
    public const int Size = VcpuInfoLayout.Size;

    private readonly MachineMemory _memory;
    private readonly CodeMap _code;
    private ulong _address;

    internal VcpuInfoPage(MachineMemory memory, CodeMap code, ulong machineAddress)
    {
        _memory = memory;
        _code = code;
        _address = machineAddress;
    }

    /// <summary>Machine address of the structure.</summary>
    public ulong MachineAddress => Volatile.Read(ref _address);

    /// <summary>The frame it lies in.</summary>
    public Mfn Frame => Mfn.FromAddress(MachineAddress);

    /// <summary>Machine address of the vCPU's clock (vcpu_time_info).</summary>
    public ulong TimeAddress => MachineAddress + VcpuInfoLayout.Time;

    /// <summary>evtchn_upcall_pending.</summary>
    public bool UpcallPending => Volatile.Read(ref _memory.Ref<byte>(MachineAddress + VcpuInfoLayout.UpcallPending)) != 0;

    /// <summary>evtchn_upcall_mask.</summary>
    public bool UpcallMask
    {
        get => Volatile.Read(ref _memory.Ref<byte>(MachineAddress + VcpuInfoLayout.UpcallMask)) != 0;
        set => Volatile.Write(ref Writable<byte>(VcpuInfoLayout.UpcallMask), value ? (byte)1 : (byte)0);
    }

    /// <summary>evtchn_pending_sel.</summary>
    public ulong PendingSelector => _memory.ReadUInt64(MachineAddress + VcpuInfoLayout.PendingSel);

    /// <summary>arch.cr2.</summary>
    public ulong Cr2
    {
        get => _memory.ReadUInt64(MachineAddress + VcpuInfoLayout.Cr2);
        set => Volatile.Write(ref Writable<ulong>(VcpuInfoLayout.Cr2), value);
    }

    /// <summary>Sets evtchn_upcall_pending; returns whether it was set before. Full barrier.</summary>
    public bool TestAndSetUpcallPending() => Interlocked.Exchange(ref Writable<byte>(VcpuInfoLayout.UpcallPending), 1) != 0;

    /// <summary>Sets the selector bit of a word of the pending bitmap; returns whether it was set before. Full barrier.</summary>
    public bool TestAndSetSelector(int word)
    {
        ulong bit = 1ul << word;
        return (Interlocked.Or(ref Writable<ulong>(VcpuInfoLayout.PendingSel), bit) & bit) != 0;
    }

    /// <summary>Clears the selector.</summary>
    internal void ClearSelector() => Volatile.Write(ref Writable<ulong>(VcpuInfoLayout.PendingSel), 0);

    /// <summary>
    /// Moves the structure (VCPUOP_register_vcpu_info): the contents go along, and everything is marked pending, since an event may be set in the old place meanwhile.
    /// The caller holds <see cref="Domain.EventLock"/>, has checked the new place (64 bytes within one frame, aligned to 8) and holds a writable reference to its frame.
    /// </summary>
    internal void MoveTo(ulong machineAddress)
    {
        ReadOnlySpan<byte> old = _memory.Frame(Frame).Slice((int)(MachineAddress & Page.OffsetMask), Size);
        _code.NoteWrite(Mfn.FromAddress(machineAddress));
        old.CopyTo(_memory.Frame(Mfn.FromAddress(machineAddress)).Slice((int)(machineAddress & Page.OffsetMask), Size));
        Volatile.Write(ref _address, machineAddress);
        Volatile.Write(ref Writable<ulong>(VcpuInfoLayout.PendingSel), ulong.MaxValue);
        _ = TestAndSetUpcallPending();
    }

    private ref T Writable<T>(int offset)
        where T : unmanaged
    {
        ulong address = MachineAddress;
        _code.NoteWrite(Mfn.FromAddress(address));
        return ref _memory.Ref<T>(address + (uint)offset);
    }
}
