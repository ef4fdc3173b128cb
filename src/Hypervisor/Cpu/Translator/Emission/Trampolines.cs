namespace Xen.Cpu;

/// <summary>The ways into and out of emitted code; made once per code memory, at its start.</summary>
internal sealed class Trampolines
{
    /// <summary>Exit numbers that belong to no block; see <see cref="VcpuContext.ExitId"/>.</summary>
    public const int FaultExit = -1, LookupExit = 0, EventExit = 1, FirstBlockExit = 2;

    /// <summary>Where emitted code goes on if the host finds it to be at fault. <b>Units</b>: host address.</summary>
    private readonly ulong _recovery;

    public Trampolines(CodeMemory memory, Emitter emitter)
    {
        emitter.MoveTo(0, memory.Size);
        Exit = emitter.Position;
        FlagSaving.Save(emitter);
        ExitWithSavedFlags = EmitExitWithSavedFlags(emitter);
        emitter.Align(16);
        _recovery = (ulong)memory.AddressOf(emitter.Position);
        EmitRecovery(emitter);
        emitter.Align(16);
        Lookup = EmitRipExit(emitter, LookupExit);
        emitter.Align(16);
        Event = EmitRipExit(emitter, EventExit);
        emitter.Align(16);
        MissKeepingFlags = EmitMiss(emitter, keepFlags: true);
        emitter.Align(16);
        Miss = EmitMiss(emitter, keepFlags: false);
        emitter.Align(16);
        ReadTimeStamp = emitter.Position;
        emitter.Lea(HostRegister.Rsp, HostAddress.At(HostRegister.Rsp, -8)); // calls want an aligned stack
        EmitCallOut(emitter, ContextOffsets.TimeStampHandler);
        emitter.Lea(HostRegister.Rsp, HostAddress.At(HostRegister.Rsp, 8));
        emitter.Byte(0xC3);
        emitter.Align(16);
        Dispatch = emitter.Position;
        emitter.Load(RegisterMap.Scratch, HostAddress.Context(ContextOffsets.Rip));
        EmitIndirect(emitter);
        emitter.Align(16);
        Enter = emitter.Position;
        EmitEnter(emitter);
        emitter.Align(64);
        End = emitter.Position;
    }

    /// <summary>Called from C# with the address of the code to run.</summary>
    public int Enter { get; }

    /// <summary>Leaves emitted code; the exit's number is in the context.</summary>
    public int Exit { get; }

    /// <summary>As <see cref="Exit"/>, but the guest's flags are saved already.</summary>
    public int ExitWithSavedFlags { get; }

    /// <summary>Leaves because no code is known for the guest address in the first scratch register. Flags are saved.</summary>
    public int Lookup { get; }

    /// <summary>Leaves before the instruction at the guest address in the first scratch register: a request waits. Flags are saved.</summary>
    public int Event { get; }

    /// <summary>
    /// Has the TLB filled for the access that missed (<see cref="MissForm"/>; the exit's number is in the context), and goes on at the exit's
    /// <see cref="BlockExit.Resume"/>, or leaves.
    /// </summary>
    public int Miss { get; }

    /// <summary>As <see cref="Miss"/>, where the host's flags are alive.</summary>
    public int MissKeepingFlags { get; }

    /// <summary>Called for the time stamp counter, which it returns in the first scratch register. Keeps all other registers, but not the flags.</summary>
    public int ReadTimeStamp { get; }

    /// <summary>Goes to the block at rip, by the jump table. Flags are saved.</summary>
    public int Dispatch { get; }

    /// <summary>Emits a jump to the block of the guest address in the first scratch register, by the jump table. Its entry checks that it is the right one.</summary>
    public static void EmitIndirect(Emitter emitter)
    {
        emitter.Move(RegisterMap.Scratch2, RegisterMap.Scratch, wide: false);
        emitter.And(RegisterMap.Scratch2, JumpTable.Mask, wide: false);
        emitter.Load(RegisterMap.Delta, HostAddress.Context(ContextOffsets.JumpTable));
        emitter.JumpThrough(new HostAddress(RegisterMap.Delta, RegisterMap.Scratch2, 1, 0));
    }

    /// <summary>First position behind the trampolines.</summary>
    public int End { get; }

    private static void EmitRipExit(Emitter emitter, int exit, int target)
    {
        emitter.Store(HostAddress.Context(ContextOffsets.Target), RegisterMap.Scratch);
        emitter.Store(HostAddress.Context(ContextOffsets.ExitId), exit, wide: false);
        emitter.JumpTo(target);
    }

    private int EmitRipExit(Emitter emitter, int exit)
    {
        int position = emitter.Position;
        EmitRipExit(emitter, exit, ExitWithSavedFlags);
        return position;
    }

    private int EmitMiss(Emitter emitter, bool keepFlags)
    {
        int position = emitter.Position;
        if (keepFlags)
        {
            // The second scratch register is wanted.
            emitter.Store(HostAddress.Context(ContextOffsets.Borrowed), RegisterMap.Scratch2);
            FlagSaving.Save(emitter);
            emitter.Load(RegisterMap.Scratch2, HostAddress.Context(ContextOffsets.Borrowed));
        }

        EmitCallOut(emitter, ContextOffsets.MissHandler);
        emitter.Compare(RegisterMap.Scratch, 0);
        int failed = emitter.Jump(HostCondition.Equal);
        if (keepFlags)
            FlagSaving.Restore(emitter);
        emitter.Registers(false, 0xFF, 4, RegisterMap.Scratch); // jmp
        emitter.Bind(failed);
        emitter.JumpTo(ExitWithSavedFlags);
        return position;
    }

    /// <summary>
    /// Calls C# with the context's address and both scratch registers; what it returns is in the first. What it may change is put into its slots; what it keeps
    /// by convention stays. MXCSR, too: whatever the runtime computes meanwhile would leave exceptions in it. Changes flags.
    /// </summary>
    private void EmitCallOut(Emitter emitter, int handler)
    {
        ReadOnlySpan<HostRegister> changed = [HostRegister.Rax, HostRegister.Rcx, HostRegister.Rdx, HostRegister.Rsi, HostRegister.Rdi, HostRegister.R8, HostRegister.R9];
        foreach (HostRegister register in changed)
            emitter.Store(HostAddress.Context(ContextOffsets.Gpr((int)register)), register);
        VectorSaving.Save(emitter);
        emitter.Memory(false, 0x0FAE, 3, HostAddress.Context(ContextOffsets.Mxcsr));
        emitter.Memory(false, 0x0FAE, 2, HostAddress.Context(ContextOffsets.HostMxcsr));
        emitter.Store(HostAddress.Context(ContextOffsets.Recovery), 0);
        emitter.Load(HostRegister.Rdi, HostAddress.Context(ContextOffsets.Self));
        emitter.Move(HostRegister.Rsi, RegisterMap.Scratch);
        emitter.Move(HostRegister.Rdx, RegisterMap.Scratch2);
        emitter.Memory(false, 0xFF, 2, HostAddress.Context(handler));
        emitter.Move(RegisterMap.Scratch, HostRegister.Rax);
        EmitRecoverable(emitter, HostRegister.Rax);
        emitter.Memory(false, 0x0FAE, 2, HostAddress.Context(ContextOffsets.Mxcsr));
        VectorSaving.Load(emitter);
        foreach (HostRegister register in changed)
            emitter.Load(register, HostAddress.Context(ContextOffsets.Gpr((int)register)));
    }

    /// <summary>Says that emitted code runs from here on. Changes a register.</summary>
    private void EmitRecoverable(Emitter emitter, HostRegister changed)
    {
        emitter.Move(changed, _recovery);
        emitter.Store(HostAddress.Context(ContextOffsets.Recovery), changed);
    }

    /// <summary>
    /// Leaves from wherever emitted code was, with registers and flags as they were there: the signal's handler sends it here. All that is relied on
    /// is the context.
    /// </summary>
    private void EmitRecovery(Emitter emitter)
    {
        emitter.Byte(0xFC); // cld
        emitter.Load(HostRegister.Rsp, HostAddress.Context(ContextOffsets.HostStack));
        FlagSaving.Save(emitter);
        emitter.Store(HostAddress.Context(ContextOffsets.ExitId), FaultExit, wide: false);
        emitter.JumpTo(ExitWithSavedFlags);
    }

    private void EmitEnter(Emitter emitter)
    {
        foreach (HostRegister saved in (ReadOnlySpan<HostRegister>)[HostRegister.Rbx, HostRegister.Rbp, HostRegister.R12, HostRegister.R13, HostRegister.R14, HostRegister.R15])
            Push(emitter, saved);
        emitter.Lea(HostRegister.Rsp, HostAddress.At(HostRegister.Rsp, -8));
        emitter.Store(HostAddress.Context(ContextOffsets.Target), HostRegister.Rdi);
        emitter.Store(HostAddress.Context(ContextOffsets.HostStack), HostRegister.Rsp);
        EmitRecoverable(emitter, HostRegister.Rdi);
        emitter.Memory(false, 0x0FAE, 3, HostAddress.Context(ContextOffsets.HostMxcsr));
        emitter.Memory(false, 0x0FAE, 2, HostAddress.Context(ContextOffsets.Mxcsr));
        VectorSaving.Load(emitter);
        FlagSaving.LoadByRax(emitter);
        for (int guest = 0; guest < 16; guest++)
        {
            if (!RegisterMap.IsDisplaced(guest))
                emitter.Load(RegisterMap.HostOf(guest), HostAddress.Context(ContextOffsets.Gpr(guest)));
        }

        emitter.Load(RegisterMap.Delta, HostAddress.Context(ContextOffsets.Delta));
        emitter.JumpThrough(HostAddress.Context(ContextOffsets.Target));
    }

    private static int EmitExitWithSavedFlags(Emitter emitter)
    {
        int position = emitter.Position;
        emitter.Store(HostAddress.Context(ContextOffsets.Recovery), 0);
        for (int guest = 0; guest < 16; guest++)
        {
            if (!RegisterMap.IsDisplaced(guest))
                emitter.Store(HostAddress.Context(ContextOffsets.Gpr(guest)), RegisterMap.HostOf(guest));
        }

        emitter.Store(HostAddress.Context(ContextOffsets.Delta), RegisterMap.Delta);
        VectorSaving.Save(emitter);
        emitter.Memory(false, 0x0FAE, 3, HostAddress.Context(ContextOffsets.Mxcsr));
        emitter.Memory(false, 0x0FAE, 2, HostAddress.Context(ContextOffsets.HostMxcsr));
        emitter.Lea(HostRegister.Rsp, HostAddress.At(HostRegister.Rsp, 8));
        foreach (HostRegister saved in (ReadOnlySpan<HostRegister>)[HostRegister.R15, HostRegister.R14, HostRegister.R13, HostRegister.R12, HostRegister.Rbp, HostRegister.Rbx])
            Pop(emitter, saved);
        emitter.Byte(0xC3);
        return position;
    }

    private static void Push(Emitter emitter, HostRegister register)
    {
        if ((int)register >= 8)
            emitter.Byte(0x41);
        emitter.Byte(0x50 | ((int)register & 7));
    }

    private static void Pop(Emitter emitter, HostRegister register)
    {
        if ((int)register >= 8)
            emitter.Byte(0x41);
        emitter.Byte(0x58 | ((int)register & 7));
    }
}
