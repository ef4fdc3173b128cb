using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>Far RET within ring 3; bytes of arguments to drop are Immediate. T is the size of the popped values.</summary>
internal readonly struct FarReturn<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        ulong size = (ulong)(Operand.Bits<T>() / 8);
        if (!cpu.Load(rsp, out T target) || !cpu.Load(rsp + size, out T code))
            return ref cpu.Fault(ref r, ref op);
        ushort selector = (ushort)Operand.ZeroExtend(code);
        byte vector = Selectors.CheckCode(cpu.State, selector);
        if (vector != 0)
            return ref cpu.Fault(ref r, ref op, vector, Selectors.ErrorOf(selector));
        rsp += (2 * size) + op.Immediate;
        r.Cs = selector;
        return ref cpu.GoIndirect(ref r, Operand.ZeroExtend(target));
    }
}

/// <summary>IRET from ring 3 to ring 3: rip, cs, rflags, rsp, ss.</summary>
internal readonly struct InterruptReturn<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong rsp = r.Gpr[4];
        ulong size = (ulong)(Operand.Bits<T>() / 8);
        if (!cpu.Load(rsp, out T target) || !cpu.Load(rsp + size, out T code) || !cpu.Load(rsp + (2 * size), out T flags)
            || !cpu.Load(rsp + (3 * size), out T stack) || !cpu.Load(rsp + (4 * size), out T stackSegment))
        {
            return ref cpu.Fault(ref r, ref op);
        }

        ushort cs = (ushort)Operand.ZeroExtend(code);
        ushort ss = (ushort)Operand.ZeroExtend(stackSegment);
        byte vector = (r.Rflags & RFlag.Nested) != 0 ? Vector.GeneralProtection : Selectors.CheckCode(cpu.State, cs);
        if (vector != 0)
            return ref cpu.Fault(ref r, ref op, vector, (r.Rflags & RFlag.Nested) != 0 ? 0 : Selectors.ErrorOf(cs));
        vector = Selectors.CheckStack(cpu.State, ss);
        if (vector != 0)
            return ref cpu.Fault(ref r, ref op, vector, Selectors.ErrorOf(ss));
        cpu.WriteRflags(ref r, Operand.ZeroExtend(flags), RFlag.WritableInRing3);
        r.Cs = cs;
        r.Ss = ss;
        r.Gpr[4] = Operand.ZeroExtend(stack);
        cpu.EndBlock(ref r, ref op);
        r.Rip = Operand.ZeroExtend(target);
        return ref Handler.None;
    }
}
