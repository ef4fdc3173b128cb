namespace Xen.Cpu;

/// <summary>Where emitted code finds things in a <see cref="VcpuContext"/>. <b>Units</b>: bytes.</summary>
internal static unsafe class ContextOffsets
{
    public static readonly int Requests, ExitId, Target, Self, MissHandler, TimeStampHandler, Delta, Borrowed, Held, Held2, RunLength, RunRest, SavedFlags, JumpTable;
    public static readonly int PageMasks, BitMasks, LowBits, IndexMask, HostMxcsr, Rip, Rflags, Mxcsr, FsBase, GsBase;
    public static readonly int UpperHalves, UpperHalvesInUse, UpperHalvesStored, SiliconFlags, SiliconMxcsr, SiliconUnmasked, SiliconMemory;
    public static readonly int Recovery, HostStack, Fault;

    static ContextOffsets()
    {
        // SAFETY: only addresses are taken.
        VcpuContext context;
        byte* start = (byte*)&context;
        Requests = (int)((byte*)&context.Requests - start);
        ExitId = (int)((byte*)&context.ExitId - start);
        Target = (int)((byte*)&context.Target - start);
        Self = (int)((byte*)&context.Self - start);
        MissHandler = (int)((byte*)&context.MissHandler - start);
        TimeStampHandler = (int)((byte*)&context.TimeStampHandler - start);
        Delta = (int)((byte*)&context.Delta - start);
        Borrowed = (int)((byte*)&context.Borrowed - start);
        Held = (int)((byte*)&context.Held - start);
        Held2 = (int)((byte*)&context.Held2 - start);
        RunLength = (int)((byte*)&context.RunLength - start);
        RunRest = (int)((byte*)&context.RunRest - start);
        SavedFlags = (int)((byte*)&context.SavedFlags - start);
        JumpTable = (int)((byte*)&context.JumpTable - start);
        PageMasks = (int)((byte*)&context.PageMasks - start);
        BitMasks = (int)((byte*)&context.BitMasks - start);
        LowBits = (int)((byte*)&context.LowBits - start);
        IndexMask = (int)((byte*)&context.IndexMask - start);
        HostMxcsr = (int)((byte*)&context.HostMxcsr - start);
        Rip = (int)((byte*)&context.Registers.Rip - start);
        Rflags = (int)((byte*)&context.Registers.Rflags - start);
        Mxcsr = (int)((byte*)&context.Registers.Mxcsr - start);
        FsBase = (int)((byte*)&context.Registers.FsBase - start);
        GsBase = (int)((byte*)&context.Registers.GsBase - start);
        UpperHalves = (int)((byte*)&context.Registers.UpperHalves - start);
        UpperHalvesInUse = (int)((byte*)&context.Registers.UpperHalvesInUse - start);
        UpperHalvesStored = (int)((byte*)&context.UpperHalvesStored - start);
        SiliconFlags = (int)((byte*)&context.Silicon.Flags - start);
        SiliconMxcsr = (int)((byte*)&context.Silicon.Mxcsr - start);
        SiliconUnmasked = (int)((byte*)&context.Silicon.Unmasked - start);
        SiliconMemory = ((int)((byte*)&context.Silicon.Memory - start) + 31) & ~31;
        Xmm = (int)((byte*)&context.Registers.Xmm - start);
        KernelTlb = (int)((byte*)&context.KernelTlb - start);
        UserTlb = (int)((byte*)&context.UserTlb - start);
        Recovery = (int)((byte*)&context.Recovery - start);
        HostStack = (int)((byte*)&context.HostStack - start);
        Fault = (int)((byte*)&context.Fault - start);
        CodeKeys = sizeof(TlbEntry) * TlbMemory.EntryCount;
    }

    /// <summary>The first of the xmm registers.</summary>
    public static int Xmm { get; }

    public static int KernelTlb { get; }

    public static int UserTlb { get; }

    /// <summary>From the start of a TLB to its code keys.</summary>
    public static int CodeKeys { get; }

    /// <summary>From the start of a TLB's entry.</summary>
    public const int ReadBias = 0, WriteBias = 8, Addend = 16, HostPage = 24;

    /// <summary>A guest register's slot.</summary>
    public static int Gpr(int guest) => guest * 8;
}
