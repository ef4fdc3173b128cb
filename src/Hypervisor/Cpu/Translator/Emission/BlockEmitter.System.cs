namespace Xen.Cpu;

/// <summary>Instructions about the processor: its flags, its clock.</summary>
internal sealed partial class BlockEmitter
{
    /// <summary>PUSHFQ: the arithmetic flags and what rflags has besides.</summary>
    private void EmitPushFlags(ref GuestInstruction instruction)
    {
        const int MoveZeroExtended = 0x0FB6, LowFlagsByte = 1, OverflowBit = 11;
        const HostRegister flags = RegisterMap.Scratch, rest = RegisterMap.Scratch2;
        SaveFlags();
        _emitter.Memory(false, MoveZeroExtended, (int)flags, HostAddress.Context(ContextOffsets.SavedFlags));
        _emitter.ShiftLeft(flags, OverflowBit, wide: false);
        _emitter.Memory(false, MoveZeroExtended, (int)rest, HostAddress.Context(ContextOffsets.SavedFlags + LowFlagsByte));
        _emitter.Add(flags, rest);
        _emitter.And(flags, (int)LazyFlags.All, wide: false);
        _emitter.Load(rest, HostAddress.Context(ContextOffsets.Rflags));
        _emitter.And(rest, ~(int)LazyFlags.All);
        _emitter.Add(flags, rest);
        _emitter.Store(HostAddress.Context(ContextOffsets.Held), flags);

        // The push itself may fail, and the flags are wanted behind it: what is alive is taken back first.
        FlagSaving.Restore(_emitter);
        HostAddress to = EmitStackAccess(ref instruction);
        _emitter.Load(RegisterMap.Scratch2, HostAddress.Context(ContextOffsets.Held));
        _emitter.Store(in to, RegisterMap.Scratch2);
        MoveStack(-Word);
    }

    /// <summary>RDTSC: the hypervisor is asked.</summary>
    private void EmitReadTimeStamp(in GuestInstruction instruction)
    {
        bool keep = !TryFreeFlags(in instruction);
        if (keep)
            FlagSaving.Save(_emitter);
        _emitter.CallTo(_trampolines.ReadTimeStamp);
        _emitter.Move(HostRegister.Rax, RegisterMap.Scratch, wide: false);
        _emitter.ShiftRight(RegisterMap.Scratch, 32);
        _emitter.Move(HostRegister.Rdx, RegisterMap.Scratch);
        if (keep)
            FlagSaving.Restore(_emitter);
    }
}
