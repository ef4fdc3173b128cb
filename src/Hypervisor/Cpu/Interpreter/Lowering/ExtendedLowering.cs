using Iced.Intel;

namespace Xen.Cpu;

/// <summary>What of AVX is not one instruction on the host: masked moves and gathers, which fault element by element; the state of all registers; MXCSR.</summary>
internal static class ExtendedLowering
{
    public static void Register(Lowering?[] table)
    {
        if (!CpuFeatures.OfHost.Has(Leaf1Ecx.Avx))
            return;
        table.Set(Masked<uint>, Mnemonic.Vmaskmovps, Mnemonic.Vpmaskmovd);
        table.Set(Masked<ulong>, Mnemonic.Vmaskmovpd, Mnemonic.Vpmaskmovq);
        table.Set(Gathered<uint, int>, Mnemonic.Vpgatherdd, Mnemonic.Vgatherdps);
        table.Set(Gathered<uint, long>, Mnemonic.Vpgatherqd, Mnemonic.Vgatherqps);
        table.Set(Gathered<ulong, int>, Mnemonic.Vpgatherdq, Mnemonic.Vgatherdpd);
        table.Set(Gathered<ulong, long>, Mnemonic.Vpgatherqq, Mnemonic.Vgatherqpd);
        table.Set(Zero, Mnemonic.Vzeroupper, Mnemonic.Vzeroall);
        table.Set(Checked(static (in Instruction i, BlockDecoder b) => VectorLowering.Emit(in i, b, Handler.Of<LoadMxcsr>())), Mnemonic.Vldmxcsr);
        table.Set(Checked(static (in Instruction i, BlockDecoder b) => VectorLowering.Emit(in i, b, Handler.Of<StoreMxcsr>())), Mnemonic.Vstmxcsr);
        table.Set(Checked(VectorMoveLowering.Masked), Mnemonic.Vmaskmovdqu);
        table.Set(Image<XSave>, Mnemonic.Xsave, Mnemonic.Xsave64, Mnemonic.Xsaveopt, Mnemonic.Xsaveopt64);
        table.Set(Image<XRestore>, Mnemonic.Xrstor, Mnemonic.Xrstor64);
        table.Set(GetControl, Mnemonic.Xgetbv);
    }

    /// <summary>Adds the check that an AVX instruction begins with.</summary>
    public static void EmitCheck(in Instruction instruction, BlockDecoder block) =>
        block.Emit(VectorLowering.Plain(in instruction), Handler.Of<CheckExtended>());

    private static Lowering Checked(Lowering lowering) => (in Instruction instruction, BlockDecoder block) =>
    {
        if (!IsOffered(in instruction, block))
            return;
        EmitCheck(in instruction, block);
        lowering(in instruction, block);
    };

    private static void Zero(in Instruction instruction, BlockDecoder block)
    {
        EmitCheck(in instruction, block);
        ref MicroOp op = ref VectorLowering.Emit(in instruction, block, Handler.Of<ZeroUpperHalves>());
        op.Immediate = instruction.Mnemonic == Mnemonic.Vzeroall ? 1ul : 0;
    }

    private static void Masked<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged
    {
        if (!IsOffered(in instruction, block))
            return;
        EmitCheck(in instruction, block);
        bool store = VectorLowering.IsMemory(in instruction, 0);
        VectorLowering.EmitCheck(in instruction, block);
        ref MicroOp op = ref block.Emit(in instruction, store ? Handler.Of<MaskedStore<T>>() : Handler.Of<MaskedLoad<T>>());
        op.Dst = RegisterOffsets.Of(instruction.GetOpRegister(store ? 2 : 0));
        op.Src = RegisterOffsets.Of(instruction.Op1Register);
        op.Immediate = (ulong)(instruction.Op1Register.GetSize() / Operand.Size<T>());
    }

    private static void Gathered<T, TIndex>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged
        where TIndex : unmanaged
    {
        if (!IsOffered(in instruction, block))
            return;
        Register destination = instruction.Op0Register, mask = instruction.Op2Register, indices = instruction.MemoryIndex;
        int first = destination.GetNumber(), second = mask.GetNumber(), third = indices.GetNumber();
        if (first == second || first == third || second == third)
        {
            LoweringTable.Undefined(in instruction, block);
            return;
        }

        EmitCheck(in instruction, block);
        VectorLowering.EmitCheck(in instruction, block);
        int count = Math.Min(
            destination.GetSize() / Operand.Size<T>(), indices.GetSize() / Operand.Size<TIndex>());
        ref MicroOp op = ref block.Emit(VectorLowering.Plain(in instruction), Handler.Of<Gather<T, TIndex>>());
        op.Dst = RegisterOffsets.Of(destination);
        op.Base = instruction.MemoryBase == Iced.Intel.Register.None ? RegisterOffsets.Zero : RegisterOffsets.Of(instruction.MemoryBase.GetFullRegister());
        op.Index = RegisterOffsets.Of(indices);
        op.Scale = (byte)System.Numerics.BitOperations.Log2((uint)instruction.MemoryIndexScale);
        op.Displacement = instruction.MemoryDisplacement64;
        bool narrow = instruction.MemoryBase.IsGPR32() || (instruction.MemoryBase == Iced.Intel.Register.None && instruction.MemoryDisplSize == 4);
        op.Immediate = (uint)count | (narrow ? 0x100ul : 0) | ((ulong)BlockDecoder.SegmentOf(in instruction) << 32) | ((ulong)RegisterOffsets.Of(mask) << 48);
    }

    private static void Image<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IOperation
    {
        block.Emit(VectorLowering.Plain(in instruction), Handler.Of<CheckXsave>());
        VectorLowering.EmitCheck(in instruction, block);
        ref MicroOp op = ref block.Emit(in instruction, Handler.Of<TOp>());
        bool wide = instruction.Mnemonic is Mnemonic.Xsave64 or Mnemonic.Xsaveopt64 or Mnemonic.Xrstor64;
        bool optimised = instruction.Mnemonic is Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64;
        op.Immediate = (wide ? 1ul : 0) | (optimised ? 2ul : 0);
    }

    private static void GetControl(in Instruction instruction, BlockDecoder block)
    {
        block.Emit(VectorLowering.Plain(in instruction), Handler.Of<CheckXsave>());
        block.Emit(VectorLowering.Plain(in instruction), Handler.Of<GetExtendedControl>());
    }

    /// <summary>Whether guests have it: forms with EVEX encoding have the same names. If not, #UD is emitted.</summary>
    private static bool IsOffered(in Instruction instruction, BlockDecoder block)
    {
        bool offered = instruction.Encoding == EncodingKind.VEX && InstructionSets.IsOffered(instruction.Code);
        if (!offered)
            LoweringTable.Undefined(in instruction, block);
        return offered;
    }
}
