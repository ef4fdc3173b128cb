using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>An instruction that the host executes, with its memory operand copied in or out. Immediate is its thunk.</summary>
internal readonly struct OnSilicon : IOperation
{
    private const uint Raised = 0x3F, BeforeOperation = 7, Masks = 0x1F80;
    private const int MaskShift = 7;

    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        HostExecutor host = cpu.Host!;
        HostThunk thunk = host[op.Immediate];
        ulong address = 0;
        if (thunk.Size != 0)
        {
            address = Operand.Address(ref r, ref op);
            if ((address & (ulong)(thunk.Alignment - 1)) != 0)
                return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
            if (!thunk.Stores && !Load(cpu, address, thunk.Size))
                return ref cpu.Fault(ref r, ref op);
        }

        ref SiliconOperands operands = ref host.Operands;
        if (thunk.UsesFlags)
            operands.Flags = cpu.Flags.ToBits();
        if (thunk.UsesMxcsr)
        {
            operands.Mxcsr = (r.Mxcsr & ~Raised) | Masks;
            operands.Unmasked = ~(r.Mxcsr >> MaskShift) & Raised;
        }

        if (!host.Run(in thunk))
        {
            uint raised = operands.Mxcsr & Raised;
            bool before = (raised & operands.Unmasked & BeforeOperation) != 0;
            r.Mxcsr |= before ? raised & BeforeOperation : raised;
            return ref cpu.Fault(ref r, ref op, Vector.Simd);
        }

        if (thunk.Stores && !Store(cpu, address, thunk.Size))
            return ref cpu.Fault(ref r, ref op);
        if (thunk.UsesMxcsr)
            r.Mxcsr |= operands.Mxcsr & Raised;
        if (thunk.WritesUpperHalves)
            r.UpperHalvesInUse = 1;
        if (thunk.UsesFlags)
            cpu.Flags.FromBits(operands.Flags);
        return ref Handler.Next(ref op);
    }

    private static bool Load(Interpreter cpu, ulong address, int size) => size switch
    {
        1 => cpu.Load(address, out cpu.Host!.Memory<byte>()),
        2 => cpu.Load(address, out cpu.Host!.Memory<ushort>()),
        4 => cpu.Load(address, out cpu.Host!.Memory<uint>()),
        8 => cpu.Load(address, out cpu.Host!.Memory<ulong>()),
        16 => cpu.Load(address, out cpu.Host!.Memory<Vector128<byte>>()),
        _ => cpu.Load(address, out cpu.Host!.Memory<Vector256<byte>>()),
    };

    private static bool Store(Interpreter cpu, ulong address, int size) => size switch
    {
        1 => cpu.Store(address, cpu.Host!.Memory<byte>()),
        2 => cpu.Store(address, cpu.Host!.Memory<ushort>()),
        4 => cpu.Store(address, cpu.Host!.Memory<uint>()),
        8 => cpu.Store(address, cpu.Host!.Memory<ulong>()),
        16 => cpu.Store(address, cpu.Host!.Memory<Vector128<byte>>()),
        _ => cpu.Store(address, cpu.Host!.Memory<Vector256<byte>>()),
    };
}
