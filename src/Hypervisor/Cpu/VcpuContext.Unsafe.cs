using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Memory;

namespace Xen.Cpu;

/// <summary>
/// What emitted code needs of a vCPU, in one pinned block that its gs base points to: registers, requests, both TLBs, and slots of its own.
/// Offsets are part of emitted code: <see cref="ContextOffsets"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VcpuContext
{
    public RegisterFile Registers;

    /// <summary>What others ask of the vCPU; see <see cref="VcpuState"/>.</summary>
    public int Requests;

    /// <summary>Which exit emitted code has taken.</summary>
    public int ExitId;

    /// <summary>Where emitted code goes on, or went wrong.</summary>
    public ulong Target;

    /// <summary>This block's address.</summary>
    public ulong Self;

    /// <summary>A handle of the engine, for <see cref="MissHandler"/>.</summary>
    public nint Engine;

    /// <summary>What emitted code calls to have the TLB filled.</summary>
    public nint MissHandler;

    /// <summary>What emitted code calls for the time stamp counter.</summary>
    public nint TimeStampHandler;

    /// <summary>The delta of a group of accesses (its register, while emitted code does not run).</summary>
    public ulong Delta;

    /// <summary>A register that a flag-preserving sequence borrows.</summary>
    public ulong Borrowed;

    /// <summary>A value between two checks of one instruction.</summary>
    public ulong Held;
    public ulong Held2;

    /// <summary>Elements of a string instruction that are done in one go, and those that are left then.</summary>
    public ulong RunLength;
    public ulong RunRest;

    /// <summary>The flags that a sequence saves, as LAHF and SETO have them.</summary>
    public ulong SavedFlags;

    /// <summary>Where indirect branches of the current kind of code go.</summary>
    public ulong JumpTable;

    /// <summary>Masks for PEXT: the page number of an address and the bits that must be zero with an alignment of 1, 2, 4, 8, 16, 32 bytes.</summary>
    public AlignmentMasks PageMasks;

    /// <summary>The bits of a bit's number that count within 16, 32, 64 bits.</summary>
    public OperandMasks BitMasks;

    /// <summary>The bits of an address that a vector's alignment forbids.</summary>
    public ulong LowBits;

    /// <summary>The bits of an address that choose a TLB entry.</summary>
    public ulong IndexMask;

    public uint HostMxcsr;

    /// <summary>1: the upper halves in the registers may be other than zero, though they may not be in use any more.</summary>
    public uint UpperHalvesStored;

    public TlbMemory KernelTlb;
    public TlbMemory UserTlb;

    /// <summary>What <see cref="HostExecutor"/> hands to an instruction.</summary>
    public SiliconOperands Silicon;

    /// <summary>While emitted code runs: where it goes on if the host finds it to be at fault. Else 0.</summary>
    public ulong Recovery;

    /// <summary>The host's stack pointer while emitted code runs.</summary>
    public ulong HostStack;

    /// <summary>The last fault, as the signal handler has found it: see <see cref="HostFaults"/>.</summary>
    public HostFaultRecord Fault;

    [InlineArray(3)]
    public struct OperandMasks
    {
        private ulong _word;
    }

    [InlineArray(6)]
    public struct AlignmentMasks
    {
        private ulong _byte;
    }
}

public sealed unsafe partial class VcpuState
{
    private const int Alignment = 64;

    /// <summary>Keeps the context where it is.</summary>
    private readonly byte[] _contextMemory;

    private readonly VcpuContext* _context;

    public VcpuState(MachineMemory memory, CodeMap code, IGuestEnvironment environment)
    {
        Memory = memory;
        Code = code;
        Environment = environment;

        // SAFETY: pinned memory of the context's size and alignment, kept alive by the array that goes with it.
        _contextMemory = GC.AllocateArray<byte>(sizeof(VcpuContext) + Alignment, pinned: true);
        _context = (VcpuContext*)((Marshal.UnsafeAddrOfPinnedArrayElement(_contextMemory, 0) + Alignment - 1) & -Alignment);
        KernelTlb = new SoftTlb(&_context->KernelTlb, 1);
        UserTlb = new SoftTlb(&_context->UserTlb, (1ul << 63) | 1);
        Registers.Rflags = 0x202;
        Registers.Mxcsr = 0x1F80;
        Registers.Fcw = 0x37F;
    }

    /// <summary>The registers.</summary>
    public ref RegisterFile Registers => ref _context->Registers;

    /// <summary>The pinned block; alive as long as this object.</summary>
    internal VcpuContext* Context => _context;

    private ref int Requests => ref _context->Requests;
}
