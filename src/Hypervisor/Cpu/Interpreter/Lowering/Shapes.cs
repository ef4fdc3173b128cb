using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Makes the handler of one operand size: implemented by a family, called by <see cref="Shapes"/>.</summary>
internal interface ISized
{
    static abstract nint Of<T>()
        where T : unmanaged;
}

/// <summary>What kind of operand stands where.</summary>
internal enum Shape : byte
{
    Register,
    Memory,
    Immediate,
}

/// <summary>Sizes and kinds of operands, and the choice of a handler by them.</summary>
internal static class Shapes
{
    /// <summary>The kind of an operand.</summary>
    public static Shape Of(in Instruction instruction, int operand) => instruction.GetOpKind(operand) switch
    {
        OpKind.Register => Shape.Register,
        OpKind.Memory => Shape.Memory,
        _ => Shape.Immediate,
    };

    /// <summary>Size of an integer operand. <b>Units</b>: bytes.</summary>
    public static int Size(in Instruction instruction, int operand) => instruction.GetOpKind(operand) switch
    {
        OpKind.Register => instruction.GetOpRegister(operand).GetSize(),
        _ => instruction.MemorySize.GetSize(),
    };

    /// <summary>The handler of a family in the size given.</summary>
    public static nint Pick<TFamily>(int size)
        where TFamily : struct, ISized => size switch
        {
            1 => TFamily.Of<byte>(),
            2 => TFamily.Of<ushort>(),
            4 => TFamily.Of<uint>(),
            8 => TFamily.Of<ulong>(),
            _ => throw new ArgumentOutOfRangeException(nameof(size)),
        };

    /// <summary>Fills Dst, Src and Immediate of an op from the operands: the first register is Dst, the second (or the only one beside memory as destination) is Src.</summary>
    public static void SetOperands(ref MicroOp op, in Instruction instruction)
    {
        for (int i = 0; i < Math.Min(instruction.OpCount, 3); i++)
        {
            switch (instruction.GetOpKind(i))
            {
                case OpKind.Register when i == 0:
                    op.Dst = RegisterOffsets.Of(instruction.GetOpRegister(i));
                    break;
                case OpKind.Register:
                    op.Src = RegisterOffsets.Of(instruction.GetOpRegister(i));
                    break;
                case OpKind.Memory:
                    break;
                default:
                    op.Immediate = instruction.GetImmediate(i);
                    break;
            }
        }
    }
}
