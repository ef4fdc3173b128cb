using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>
/// Instructions that the processor refuses outside of ring 0, and that a PV kernel uses all the same: decoded at rip after a #GP(0) and emulated,
/// or left to the guest's handler.
/// </summary>
/// <remarks>
/// Emulated: rdmsr, wrmsr, moves from and to control and debug registers, xsetbv, clts, cache flushes, and as far as the virtual I/O privilege level or the I/O bitmap allows
/// cli, sti, in and out. String I/O, hlt and the rest are refused, as the interface says. Anything refused is the guest's #GP.
/// </remarks>
internal static class PrivilegedInstructions
{
    private const int LongestInstruction = 15;
    private const byte OperandSizePrefix = 0x66, TwoByteEscape = 0x0F, RexMask = 0xF0, Rex = 0x40, RexR = 4, RexB = 1;

    /// <summary>Emulates the instruction at rip, and steps over it.</summary>
    /// <returns>False: it is not for the hypervisor, or not lawful.</returns>
    public static bool TryEmulate(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        Span<byte> buffer = stackalloc byte[LongestInstruction];
        ReadOnlySpan<byte> code = Fetch(vcpu, registers.Rip, buffer);

        int at = 0;
        bool wordOperand = false;
        byte rex = 0;
        for (; at < code.Length && code[at] == OperandSizePrefix; at++)
            wordOperand = true;
        if (at < code.Length && (code[at] & RexMask) == Rex)
            rex = code[at++];
        if (at >= code.Length)
            return false;

        bool done = code[at] == TwoByteEscape
            ? TryTwoByte(vcpu, code, at + 1, rex, out int length)
            : TryOneByte(vcpu, code, at, wordOperand, out length);
        if (done)
            registers.Rip += (uint)length;
        return done;
    }

    /// <summary>As many bytes as can be read at rip; an instruction may end just before a page that is not there.</summary>
    private static ReadOnlySpan<byte> Fetch(Vcpu vcpu, ulong rip, Span<byte> buffer)
    {
        int onPage = (int)Math.Min((uint)buffer.Length, Page.Size - (uint)(rip & Page.OffsetMask));
        if (!GuestAccess.Read(vcpu, rip, buffer[..onPage]))
            return [];
        return onPage < buffer.Length && GuestAccess.Read(vcpu, rip + (uint)onPage, buffer[onPage..]) ? buffer : buffer[..onPage];
    }

    private static bool TryOneByte(Vcpu vcpu, ReadOnlySpan<byte> code, int at, bool wordOperand, out int length)
    {
        byte opcode = code[at];
        length = at + 1;
        switch (opcode)
        {
            case 0xFA or 0xFB: // cli, sti: the guest masks events in vcpu_info; the flag itself stays set
                vcpu.Counters.CountEmulated(opcode == 0xFA ? EmulatedInstruction.Cli : EmulatedInstruction.Sti);
                return IoPermission.HasIopl(vcpu);
            case 0xE4 or 0xE5 or 0xE6 or 0xE7: // in, out with an immediate port
                length = at + 2;
                return at + 1 < code.Length && TryPort(vcpu, opcode, code[at + 1], wordOperand);
            case 0xEC or 0xED or 0xEE or 0xEF: // in, out with the port in dx
                return TryPort(vcpu, opcode, (ushort)vcpu.State.Registers.Gpr[Gpr.Rdx], wordOperand);
            default:
                return false;
        }
    }

    private static bool TryPort(Vcpu vcpu, byte opcode, ushort port, bool wordOperand)
    {
        int size = (opcode & 1) == 0 ? 1 : wordOperand ? 2 : 4;
        Count(vcpu, (opcode & 2) != 0 ? EmulatedInstruction.PortOut : EmulatedInstruction.PortIn, port);
        if (!IoPermission.MayAccess(vcpu, port, size))
            return false;
        ref ulong rax = ref vcpu.State.Registers.Gpr[Gpr.Rax];
        IoPorts ports = vcpu.Domain.IoPorts;
        if ((opcode & 2) != 0)
        {
            ports.Write(port, size, (uint)rax);
            return true;
        }

        uint value = ports.Read(port, size);
        rax = size switch
        {
            1 => (rax & ~0xFFul) | (byte)value,
            2 => (rax & ~0xFFFFul) | (ushort)value,
            _ => value,
        };
        return true;
    }

    private static bool TryTwoByte(Vcpu vcpu, ReadOnlySpan<byte> code, int at, byte rex, out int length)
    {
        length = at + 1;
        if (at >= code.Length || vcpu.State.Mode != GuestMode.Kernel)
            return false;
        byte opcode = code[at];
        switch (opcode)
        {
            case 0x06: // clts
                Count(vcpu, EmulatedInstruction.Clts, 0);
                vcpu.State.TaskSwitched = false;
                return true;
            case 0x01 when at + 1 < code.Length && code[at + 1] == 0xD1: // xsetbv
                length = at + 2;
                return TryXsetbv(vcpu);
            case 0x08 or 0x09: // invd, wbinvd: there is no cache to flush
                Count(vcpu, EmulatedInstruction.Wbinvd, 0);
                return true;
            case 0x30:
                return TryWriteMsr(vcpu);
            case 0x32:
                return TryReadMsr(vcpu);
            case 0x20 or 0x21 or 0x22 or 0x23: // mov to and from cr, dr
                length = at + 2;
                return at + 1 < code.Length && TryMove(vcpu, opcode, code[at + 1], rex);
            default:
                return false;
        }
    }

    private static bool TryMove(Vcpu vcpu, byte opcode, byte modrm, byte rex)
    {
        int special = ((modrm >> 3) & 7) | ((rex & RexR) << 1);
        Count(vcpu, EmulatedInstruction.ReadControlRegister + MoveKind(opcode), (ulong)special);
        ref ulong general = ref vcpu.State.Registers.Gpr[(modrm & 7) | ((rex & RexB) << 3)];
        return opcode switch
        {
            0x20 => ControlRegisters.TryRead(vcpu, special, ref general),
            0x22 => ControlRegisters.TryWrite(vcpu, special, general),
            0x21 => TryReadDebug(vcpu, special, ref general),
            _ => DebugRegisters.Set(vcpu.Traps, special, general) == XenErrno.OK,
        };
    }

    /// <summary>Maps 0x20 (from cr), 0x22 (to cr), 0x21 (from dr), 0x23 (to dr) to 0 ... 3, their order as kinds.</summary>
    private static int MoveKind(byte opcode) => ((opcode & 1) << 1) | ((opcode >> 1) & 1);

    private static void Count(Vcpu vcpu, EmulatedInstruction kind, ulong operand)
    {
        vcpu.Counters.CountEmulated(kind);
        vcpu.Trace.Record(TraceKind.EmulatedInstruction, (ulong)kind, operand, vcpu.State.Registers.Rip);
    }

    private static bool TryReadDebug(Vcpu vcpu, int register, ref ulong general)
    {
        if (!DebugRegisters.TryGet(vcpu.Traps, register, out ulong value))
            return false;
        general = value;
        return true;
    }

    private static bool TryReadMsr(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        Count(vcpu, EmulatedInstruction.ReadMsr, registers.Gpr[Gpr.Rcx]);
        if (!MsrPolicy.TryRead(vcpu, (uint)registers.Gpr[Gpr.Rcx], out ulong value))
        {
            // Kernels read registers before they have handlers; Xen answers 0 then (see the note at TI_GET_IF).
            if (vcpu.Traps.Gates[(int)TrapVector.GeneralProtection].Address != 0)
                return false;
            value = 0;
        }

        registers.Gpr[Gpr.Rax] = (uint)value;
        registers.Gpr[Gpr.Rdx] = value >> 32;
        return true;
    }

    private static bool TryXsetbv(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        Count(vcpu, EmulatedInstruction.Xsetbv, registers.Gpr[Gpr.Rcx]);
        ulong value = (registers.Gpr[Gpr.Rdx] << 32) | (uint)registers.Gpr[Gpr.Rax];
        return ControlRegisters.TrySetExtended(vcpu, (uint)registers.Gpr[Gpr.Rcx], value);
    }

    private static bool TryWriteMsr(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        Count(vcpu, EmulatedInstruction.WriteMsr, registers.Gpr[Gpr.Rcx]);
        ulong value = (registers.Gpr[Gpr.Rdx] << 32) | (uint)registers.Gpr[Gpr.Rax];
        return MsrPolicy.TryWrite(vcpu, (uint)registers.Gpr[Gpr.Rcx], value);
    }
}
