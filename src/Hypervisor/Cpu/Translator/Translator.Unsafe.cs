namespace Xen.Cpu;

/// <summary>The engine's use of the vCPU's context.</summary>
public sealed unsafe partial class Translator
{
    /// <summary>Where emitted code was going when it left.</summary>
    private ulong Target => _state.Context->Target;

    private JumpTable _jumpTable = null!;

    private void PrepareContext()
    {
        VcpuContext* context = _state.Context;
        for (int i = 0; i < 5; i++)
            context->PageMasks[i] = ~Abi.Page.OffsetMask | ((1ul << i) - 1);
        for (int i = 0; i < 3; i++)
            context->BitMasks[i] = (16ul << i) - 1;
        context->LowBits = 15;
        context->IndexMask = (TlbMemory.EntryCount - 1ul) << Abi.Page.Shift;
        context->JumpMask = JumpTable.Mask;
    }

    /// <summary>Chooses the kind of code that the vCPU's state asks for.</summary>
    private void UseVariant()
    {
        _variant = (_state.Mode == GuestMode.User ? BlockVariant.User : 0) | (_state.TaskSwitched ? BlockVariant.TaskSwitched : 0);
        _jumpTable = _cache.JumpTableOf(_variant);
        _state.Context->JumpTable = (ulong)_jumpTable.Address;
    }

    /// <summary>Runs emitted code. Returns its exit's number.</summary>
    private int RunNative(nint code)
    {
        // SAFETY: positions come from the cache, which has emitted code there and drops it only when nobody runs it.
        if (_jumpTable.Stamp != _state.Tlb.Stamp)
            _jumpTable.Clear(_state.Tlb.Stamp);
        VcpuContext* context = _state.Context;
        HostThread.Run(context, _cache.Memory.AddressOf(_cache.Trampolines.Enter), code);
        context->Registers.Rflags = (context->Registers.Rflags & ~LazyFlags.All) | (context->SavedFlags & LazyFlags.All);
        return context->ExitId;
    }
}
