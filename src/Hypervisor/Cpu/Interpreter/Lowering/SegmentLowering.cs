using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Segment registers, descriptors, and what a program may read of the system registers.</summary>
internal static class SegmentLowering
{
    /// <summary>What a guest sees of the tables, which are Xen's: bases in the hypervisor's range.</summary>
    private const ulong GdtBase = 0xFFFF_8300_0000_0000, IdtBase = 0xFFFF_8300_0001_0000;
    private const ushort GdtLimit = 0xEFFF, IdtLimit = 0xFFF;

    /// <summary>PE, MP, ET, NE, WP, AM, PG; the selector of Xen's task segment.</summary>
    private const ulong Cr0 = 0x8005_0033, TaskSelector = 0xE040;

    public static void Register(Lowering?[] table)
    {
        table.Set(Query<LoadAccessRights>, Mnemonic.Lar);
        table.Set(Query<LoadLimit>, Mnemonic.Lsl);
        table.Set(Query<VerifyRead>, Mnemonic.Verr);
        table.Set(Query<VerifyWrite>, Mnemonic.Verw);
        table.Set(static (in Instruction i, BlockDecoder b) => StoreSystem(in i, b, 0), Mnemonic.Sldt);
        table.Set(static (in Instruction i, BlockDecoder b) => StoreSystem(in i, b, TaskSelector), Mnemonic.Str);
        table.Set(static (in Instruction i, BlockDecoder b) => StoreSystem(in i, b, Cr0), Mnemonic.Smsw);
        table.Set(static (in Instruction i, BlockDecoder b) => StoreTable(in i, b, GdtLimit, GdtBase), Mnemonic.Sgdt);
        table.Set(static (in Instruction i, BlockDecoder b) => StoreTable(in i, b, IdtLimit, IdtBase), Mnemonic.Sidt);
    }

    /// <summary>MOV, PUSH and POP of a segment register, or of a control or debug register, which is privileged.</summary>
    public static void MoveSpecial(in Instruction instruction, BlockDecoder block)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Push:
                PushRegister(in instruction, block);
                break;
            case Mnemonic.Pop:
                PopRegister(in instruction, block);
                break;
            case Mnemonic.Mov when IsSegment(in instruction, 0):
                Load(in instruction, block);
                break;
            case Mnemonic.Mov when IsSegment(in instruction, 1):
                Store(in instruction, block);
                break;
            default:
                SystemLowering.PrivilegedInstruction(in instruction, block);
                break;
        }
    }

    private static bool IsSegment(in Instruction instruction, int operand) =>
        instruction.GetOpKind(operand) == OpKind.Register && instruction.GetOpRegister(operand).IsSegmentRegister();

    private static void Load(in Instruction instruction, BlockDecoder block)
    {
        bool register = Shapes.Of(in instruction, 1) == Shape.Register;
        ref MicroOp op = ref block.Emit(in instruction, register ? Handler.Of<LoadSegment<FromRegister>>() : Handler.Of<LoadSegment<FromMemory>>());
        if (register)
            op.Src = RegisterOffsets.Of(instruction.Op1Register);
        op.Immediate = (ulong)(instruction.Op0Register - Iced.Intel.Register.ES);
    }

    private static void Store(in Instruction instruction, BlockDecoder block)
    {
        if (Shapes.Of(in instruction, 0) == Shape.Memory)
        {
            block.Emit(in instruction, Handler.Of<StoreSegmentInMemory>()).Src = RegisterOffsets.Of(instruction.Op1Register);
            return;
        }

        ref MicroOp op = ref block.Emit(in instruction, Shapes.Pick<ToRegister>(Shapes.Size(in instruction, 0)));
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void PushRegister(in Instruction instruction, BlockDecoder block)
    {
        bool word = instruction.StackPointerIncrement == -2;
        ref MicroOp op = ref block.Emit(in instruction, word ? Handler.Of<PushSegment<ushort>>() : Handler.Of<PushSegment<ulong>>());
        op.Src = RegisterOffsets.Of(instruction.Op0Register);
    }

    private static void PopRegister(in Instruction instruction, BlockDecoder block)
    {
        bool word = instruction.StackPointerIncrement == 2;
        ref MicroOp op = ref block.Emit(in instruction, word ? Handler.Of<PopSegment<ushort>>() : Handler.Of<PopSegment<ulong>>());
        op.Immediate = (ulong)(instruction.Op0Register - Iced.Intel.Register.ES);
    }

    private static void Query<TQuery>(in Instruction instruction, BlockDecoder block)
        where TQuery : struct, IDescriptorQuery
    {
        // VERR and VERW have a source only.
        int source = instruction.OpCount - 1;
        bool register = Shapes.Of(in instruction, source) == Shape.Register;
        int size = source == 0 ? 1 : Shapes.Size(in instruction, 0);
        ref MicroOp op = ref block.Emit(in instruction, register ? Shapes.Pick<Asked<TQuery, FromRegister>>(size) : Shapes.Pick<Asked<TQuery, FromMemory>>(size));
        if (register)
            op.Src = RegisterOffsets.Of(instruction.GetOpRegister(source));
        if (source == 1)
            op.Dst = RegisterOffsets.Of(instruction.Op0Register);
    }

    private static void StoreSystem(in Instruction instruction, BlockDecoder block, ulong value)
    {
        bool register = Shapes.Of(in instruction, 0) == Shape.Register;
        nint handler = register
            ? Shapes.Pick<SystemToRegister>(Shapes.Size(in instruction, 0))
            : Handler.Of<MoveToMemory<ushort, FromImmediate>>();
        ref MicroOp op = ref block.Emit(in instruction, handler);
        if (register)
            op.Dst = RegisterOffsets.Of(instruction.Op0Register);
        op.Immediate = value;
    }

    private static void StoreTable(in Instruction instruction, BlockDecoder block, ushort limit, ulong tableBase)
    {
        ref MicroOp op = ref block.Emit(in instruction, Handler.Of<StoreTableRegister>());
        op.Src = limit;
        op.Immediate = tableBase;
    }

    private readonly struct ToRegister : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<StoreSegment<T>>();
    }

    private readonly struct SystemToRegister : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<StoreSystemRegister<T>>();
    }

    private readonly struct Asked<TQuery, TSource> : ISized
        where TQuery : struct, IDescriptorQuery
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<QueryDescriptor<TQuery, T, TSource>>();
    }
}
