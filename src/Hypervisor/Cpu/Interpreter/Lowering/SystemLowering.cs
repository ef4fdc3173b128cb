using Iced.Intel;

namespace Xen.Cpu;

/// <summary>System calls, interrupts, privileged instructions, hints.</summary>
internal static class SystemLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(Nothing, Mnemonic.Nop, Mnemonic.Pause, Mnemonic.Endbr64, Mnemonic.Endbr32, Mnemonic.Fnop);
        table.Set(Nothing, Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2, Mnemonic.Prefetchw, Mnemonic.Prefetch, Mnemonic.Reservednop);
        table.Set(Nothing, Mnemonic.Rdsspd, Mnemonic.Rdsspq, Mnemonic.Cldemote, Mnemonic.Prefetchwt1, Mnemonic.Prefetchit0, Mnemonic.Prefetchit1);
        table.Set(static (in Instruction i, BlockDecoder b) => b.Emit(in i, Handler.Of<Fence>()), Mnemonic.Mfence, Mnemonic.Lfence, Mnemonic.Sfence);
        table.Set(static (in Instruction i, BlockDecoder b) => b.Emit(in i, Handler.Of<Touch>()), Mnemonic.Clflush);
        table.Set(Xlat, Mnemonic.Xlatb);
        table.Set(Syscall, Mnemonic.Syscall);
        table.Set(Interrupt, Mnemonic.Int, Mnemonic.Int3, Mnemonic.Int1);
        table.Set(LoweringTable.Undefined, Mnemonic.Ud2, Mnemonic.Ud0, Mnemonic.Ud1);
        table.Set(static (in Instruction i, BlockDecoder b) => b.Emit(in i, Handler.Of<CpuIdentify>()), Mnemonic.Cpuid);
        table.Set(static (in Instruction i, BlockDecoder b) => b.Emit(in i, Handler.Of<ReadTimeStamp>()), Mnemonic.Rdtsc);
        table.Set(PrivilegedInstruction, Mnemonic.Cli, Mnemonic.Sti, Mnemonic.Hlt, Mnemonic.Rdmsr, Mnemonic.Wrmsr, Mnemonic.Rdpmc, Mnemonic.Clts);
        table.Set(PrivilegedInstruction, Mnemonic.In, Mnemonic.Out, Mnemonic.Insb, Mnemonic.Insw, Mnemonic.Insd, Mnemonic.Outsb, Mnemonic.Outsw, Mnemonic.Outsd);
        table.Set(PrivilegedInstruction, Mnemonic.Lgdt, Mnemonic.Lidt, Mnemonic.Lldt, Mnemonic.Ltr, Mnemonic.Lmsw, Mnemonic.Swapgs, Mnemonic.Xsetbv);
        table.Set(PrivilegedInstruction, Mnemonic.Invd, Mnemonic.Wbinvd, Mnemonic.Invlpg, Mnemonic.Sysret, Mnemonic.Sysretq, Mnemonic.Sysexit, Mnemonic.Sysexitq, Mnemonic.Sysenter);
    }

    /// <summary>Emits #GP(0).</summary>
    public static void PrivilegedInstruction(in Instruction instruction, BlockDecoder block) =>
        block.EmitLast(Plain(in instruction), Handler.Of<Privileged>());

    /// <summary>Emits #UD.</summary>
    public static void UndefinedInstruction(in Instruction instruction, BlockDecoder block) =>
        block.EmitLast(Plain(in instruction), Handler.Of<Undefined>());

    private static void Nothing(in Instruction instruction, BlockDecoder block) =>
        block.Emit(Plain(in instruction), Handler.Of<NoOperation>());

    /// <summary>The instruction without its operands. A hint's memory operand is never accessed, so it needs no address either.</summary>
    private static Instruction Plain(in Instruction instruction)
    {
        Instruction plain = default;
        plain.IP = instruction.IP;
        plain.Length = instruction.Length;
        return plain;
    }

    private static void Xlat(in Instruction instruction, BlockDecoder block)
    {
        ref MicroOp op = ref block.Emit(Plain(in instruction), Handler.Of<TranslateByte>());
        op.Src = BlockDecoder.SegmentOf(in instruction);
        op.Immediate = instruction.MemoryBase.IsGPR32() ? uint.MaxValue : ulong.MaxValue;
    }

    private static void Syscall(in Instruction instruction, BlockDecoder block) => block.EmitLast(in instruction, Handler.Of<SystemCall>());

    private static void Interrupt(in Instruction instruction, BlockDecoder block)
    {
        ref MicroOp op = ref block.EmitLast(in instruction, Handler.Of<SoftwareInterrupt>());
        op.Immediate = instruction.Mnemonic switch
        {
            Mnemonic.Int3 => 3u,
            Mnemonic.Int1 => 1u,
            _ => instruction.Immediate8,
        };
    }
}
