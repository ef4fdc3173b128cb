using Iced.Intel;

namespace Xen.Cpu;

/// <summary>String instructions. Not in the table, because two of their mnemonics (MOVSD, CMPSD) are SSE instructions too.</summary>
internal static class StringLowering
{
    public static void Lower(in Instruction instruction, BlockDecoder block)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsd or Mnemonic.Movsq:
                Emit<MoveString>(in instruction, block);
                break;
            case Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd or Mnemonic.Stosq:
                Emit<StoreString>(in instruction, block);
                break;
            case Mnemonic.Lodsb or Mnemonic.Lodsw or Mnemonic.Lodsd or Mnemonic.Lodsq:
                Emit<LoadString>(in instruction, block);
                break;
            case Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq:
                Emit<ScanString>(in instruction, block);
                break;
            case Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq:
                Emit<CompareString>(in instruction, block);
                break;
            default:
                // INS and OUTS.
                SystemLowering.PrivilegedInstruction(in instruction, block);
                break;
        }
    }

    private static void Emit<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IString
    {
        int size = instruction.MemorySize.GetSize();
        bool repeated = instruction.HasRepPrefix || instruction.HasRepnePrefix;
        ref MicroOp op = ref block.Emit(in instruction, repeated ? Shapes.Pick<Repeated<TOp>>(size) : Shapes.Pick<Once<TOp>>(size));
        op.Src = BlockDecoder.SegmentOf(in instruction);
        op.Dst = instruction.HasRepnePrefix ? (ushort)1 : (ushort)0;
        op.Immediate = HasNarrowAddress(in instruction) ? uint.MaxValue : ulong.MaxValue;
    }

    private static bool HasNarrowAddress(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) is OpKind.MemorySegESI or OpKind.MemoryESEDI)
                return true;
        }

        return false;
    }

    private readonly struct Once<TOp> : ISized
        where TOp : struct, IString
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<StringOnce<TOp, T>>();
    }

    private readonly struct Repeated<TOp> : ISized
        where TOp : struct, IString
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<StringRepeated<TOp, T>>();
    }
}
