using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>The engine's use of the vCPU's context.</summary>
public sealed unsafe partial class Translator
{
    /// <summary>Where emitted code was going when it left.</summary>
    private ulong Target => _state.Context->Target;

    /// <summary>What the signal handler has left.</summary>
    private HostFaultRecord FaultRecord => _state.Context->Fault;

    private GCHandle _handle;
    private HostFaultRegistration? _faults;

    /// <summary>Called by emitted code: fills the TLB for an access that missed. Returns where to go on, or 0.</summary>
    [UnmanagedCallersOnly]
    private static nint OnMiss(VcpuContext* context, ulong first, ulong second)
    {
        // SAFETY: the context is the one that the calling code runs with; its engine lives, because it runs it. No exception leaves: TryFill has none
        // to throw for what a guest does, and what else happens ends here as a miss that the engine then sees to, outside of emitted code.
        try
        {
            var engine = (Translator)GCHandle.FromIntPtr(context->Engine).Target!;
            engine.Statistics.Fills++;
            ref readonly BlockExit exit = ref engine._cache.Exit(context->ExitId);
            ulong address = first - engine.BiasOf(in exit, second);
            context->Target = address;
            return engine.TryFill(address, exit.Size, exit.Writes) ? engine._cache.Memory.AddressOf(exit.Resume) : 0;
        }
#pragma warning disable CA1031 // emitted code has no frames to unwind
        catch (Exception)
#pragma warning restore CA1031
        {
            return 0;
        }
    }

    /// <summary>What emitted code has added to the address that missed.</summary>
    private ulong BiasOf(in BlockExit exit, ulong offset)
    {
        // SAFETY: the offset is an index that emitted code has masked, times the size of an entry.
        if (exit.Form == MissForm.Address)
            return 0;
        if (exit.Form == MissForm.BiasedByQuarters)
            offset *= 4;
        TlbEntry* entry = (TlbEntry*)((byte*)_state.Tlb.Entries + offset);
        return exit.Writes ? entry->WriteBias : entry->ReadBias;
    }

    /// <summary>Called by emitted code for the time stamp counter.</summary>
    [UnmanagedCallersOnly]
    private static ulong OnReadTimeStamp(VcpuContext* context)
    {
        // SAFETY: as in OnMiss; a clock throws nothing.
        var engine = (Translator)GCHandle.FromIntPtr(context->Engine).Target!;
        return engine._state.Environment.ReadTsc();
    }

    private void PrepareContext()
    {
        VcpuContext* context = _state.Context;
        context->Self = (ulong)context;
        context->Engine = GCHandle.ToIntPtr(_handle = GCHandle.Alloc(this, GCHandleType.Weak));
        context->MissHandler = (nint)(delegate* unmanaged<VcpuContext*, ulong, ulong, nint>)&OnMiss;
        context->TimeStampHandler = (nint)(delegate* unmanaged<VcpuContext*, ulong>)&OnReadTimeStamp;
        for (int i = 0; i < 6; i++)
            context->PageMasks[i] = ~Abi.Page.OffsetMask | ((1ul << i) - 1);
        for (int i = 0; i < 3; i++)
            context->BitMasks[i] = (16ul << i) - 1;
        context->LowBits = 15;
        context->IndexMask = (TlbMemory.EntryCount - 1ul) << Abi.Page.Shift;
        _faults = HostFaults.Instance.Register(context, _cache.Memory);
    }

    /// <summary>Chooses the kind of code that the vCPU's state asks for.</summary>
    private void UseVariant()
    {
        _variant = (_state.Mode == GuestMode.User ? BlockVariant.User : 0) | (_state.TaskSwitched ? BlockVariant.TaskSwitched : 0)
            | (_state.AvxEnabled ? BlockVariant.Extended : 0);
        UseJumpTable(_cache.JumpTableOf(_variant));
    }

    // SAFETY: the table lives as long as the cache, and emitted code only as long.
    private void UseJumpTable(JumpTable table) => _state.Context->JumpTable = (ulong)table.Address;

    /// <summary>Runs emitted code. Returns its exit's number.</summary>
    private int RunNative(nint code)
    {
        // SAFETY: positions come from the cache, which has emitted code there and drops it only when nobody runs it.
        VcpuContext* context = _state.Context;
        context->SavedFlags = FlagSaving.FromBits(context->Registers.Rflags);
        if (context->Registers.UpperHalvesInUse != 0)
            context->UpperHalvesStored = 1;
        HostThread.Run(context, _cache.Memory.AddressOf(_cache.Trampolines.Enter), code);
        context->Registers.Rflags = (context->Registers.Rflags & ~LazyFlags.All) | FlagSaving.ToBits(context->SavedFlags);
        if (context->UpperHalvesStored != 0 && context->Registers.UpperHalvesInUse == 0)
        {
            // Emitted code has cleared them in the registers.
            context->Registers.UpperHalves = default;
            context->UpperHalvesStored = 0;
        }

        return context->ExitId;
    }
}
