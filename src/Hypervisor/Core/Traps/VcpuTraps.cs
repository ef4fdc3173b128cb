using Xen.Abi;

namespace Xen.Core;

/// <summary>An entry point that a guest kernel has registered.</summary>
/// <param name="Address">Where it enters; 0 is none.</param>
/// <param name="MaskEvents">Whether event delivery is masked on entry (TI_GET_IF, CALLBACKF_mask_events).</param>
public readonly record struct GuestCallback(ulong Address, bool MaskEvents)
{
    public bool IsRegistered => Address != 0;
}

/// <summary>
/// What a vCPU's guest kernel has told about where it is to be entered, and the privileged registers that it sees.
/// </summary>
/// <remarks>Threads: the one that owns the vCPU.</remarks>
public sealed partial class VcpuTraps
{
    /// <summary>CR4 bits that are always seen set: PAE, OSFXSR, OSXMMEXCPT.</summary>
    private const ulong FixedCr4 = 0x620;

    /// <summary>CR4 bits that the guest may change: TSD and DE.</summary>
    private const ulong GuestCr4 = 0x0C;

    private readonly TrapInfo[] _gates = new TrapInfo[TrapVectors.Count];
    private ulong _cr4;

    /// <summary>The virtual IDT.</summary>
    public ReadOnlySpan<TrapInfo> Gates => _gates;

    /// <summary>Event upcall; events are always masked on entry.</summary>
    public GuestCallback EventCallback { get; set; }

    /// <summary>Called when segments cannot be loaded on return to the guest.</summary>
    public GuestCallback FailsafeCallback { get; set; }

    /// <summary>SYSCALL of 64-bit user programs.</summary>
    public GuestCallback SyscallCallback { get; set; }

    /// <summary>SYSCALL of 32-bit user programs.</summary>
    public GuestCallback Syscall32Callback { get; set; }

    /// <summary>The kernel stack on which traps from user mode are pushed.</summary>
    public ulong KernelSp { get; set; }

    /// <summary>The kernel stack's segment, as the guest named it.</summary>
    public ushort KernelSs { get; set; }

    /// <summary>Virtual I/O privilege level, 0 to 3.</summary>
    public int Iopl { get; set; } = 1;

    /// <summary>Guest address of the I/O permission bitmap of user mode.</summary>
    public ulong IoBitmap { get; set; }

    /// <summary>How many ports the bitmap covers.</summary>
    public uint IoBitmapPorts { get; set; }

    /// <summary>CR2 as the guest reads it.</summary>
    public ulong Cr2 { get; set; }

    /// <summary>CR4 as the guest reads it.</summary>
    public ulong Cr4
    {
        get => _cr4 | FixedCr4;
        set => _cr4 = value & GuestCr4;
    }

    /// <summary>Whether CR4.DE is set: DR4 and DR5 are then no aliases.</summary>
    public bool HasDebugExtensions => (_cr4 & 8) != 0;

    /// <summary>DR0 to DR3.</summary>
    public ulong[] Breakpoints { get; } = new ulong[4];

    /// <summary>DR6.</summary>
    public ulong Dr6 { get; set; } = 0xFFFF0FF0;

    /// <summary>DR7.</summary>
    public ulong Dr7 { get; set; } = 0x400;

    /// <summary>Sets one gate. The selector gets privilege level 3, since the guest runs there.</summary>
    public void SetGate(in TrapInfo gate) => _gates[gate.Vector] = gate with { Cs = (ushort)(gate.Cs | FlatSelectors.RplMask) };

    /// <summary>Removes all gates.</summary>
    public void ClearGates() => Array.Clear(_gates);
}
