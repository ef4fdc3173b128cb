using System.Buffers.Binary;
using Xen.Abi;

namespace Xen.Toolstack;

/// <summary>The registers of vCPUs as notes that every debugger reads from a core, one thread for each vCPU. <b>Source</b>: elf.h, NT_PRSTATUS; linux/elfcore.h.</summary>
internal static class ProcessorNotes
{
    private const uint Prstatus = 1;

    // struct elf_prstatus: where the number of the thread and its registers are.
    private const int PrstatusSize = 336, Pid = 32, Registers = 112;

    /// <summary>The notes of some vCPUs, by number.</summary>
    public static byte[] Write(IReadOnlyList<VcpuGuestContext> contexts)
    {
        const int Head = 20;
        var notes = new byte[contexts.Count * (Head + PrstatusSize)];
        for (int i = 0; i < contexts.Count; i++)
        {
            Span<byte> note = notes.AsSpan(i * (Head + PrstatusSize), Head + PrstatusSize);
            BinaryPrimitives.WriteUInt32LittleEndian(note, 5);
            BinaryPrimitives.WriteUInt32LittleEndian(note[4..], PrstatusSize);
            BinaryPrimitives.WriteUInt32LittleEndian(note[8..], Prstatus);
            "CORE\0"u8.CopyTo(note[12..]);
            Write(note[Head..], i, contexts[i]);
        }

        return notes;
    }

    private static void Write(Span<byte> status, int vcpu, in VcpuGuestContext context)
    {
        // A debugger takes thread 0 for none.
        BinaryPrimitives.WriteInt32LittleEndian(status[Pid..], vcpu + 1);
        ref readonly CpuUserRegs regs = ref context.UserRegs;
        ulong gsBase = (context.Flags & VcpuGuestContextFlags.InKernel) != 0 ? context.GsBaseKernel : context.GsBaseUser;

        // No system call is under way: orig_rax is -1.
        ReadOnlySpan<ulong> words =
        [
            regs.R15, regs.R14, regs.R13, regs.R12, regs.Rbp, regs.Rbx, regs.R11, regs.R10, regs.R9, regs.R8, regs.Rax, regs.Rcx, regs.Rdx, regs.Rsi, regs.Rdi,
            ulong.MaxValue, regs.Rip, regs.Cs, regs.Rflags, regs.Rsp, regs.Ss, context.FsBase, gsBase, regs.Ds, regs.Es, regs.Fs, regs.Gs,
        ];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(status[(Registers + (i * sizeof(ulong)))..], words[i]);
    }
}
