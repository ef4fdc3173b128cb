using Iced.Intel;

namespace Xen.Cpu;

/// <summary>What the addresses of vector operands must be multiples of.</summary>
internal static class VectorAlignment
{
    /// <summary>The natural boundary of an instruction's memory operand, if #GP(0) is raised for another address; else 1. <b>Units</b>: bytes.</summary>
    public static int Of(in Instruction code)
    {
        int size = code.MemorySize.GetSize();
        bool aligned = code.Encoding == EncodingKind.VEX
            ? code.Mnemonic is Mnemonic.Vmovaps or Mnemonic.Vmovapd or Mnemonic.Vmovdqa or Mnemonic.Vmovntps or Mnemonic.Vmovntpd or Mnemonic.Vmovntdq or Mnemonic.Vmovntdqa
            : size == 16 && code.Mnemonic is not (Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Lddqu
                or Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm);
        return aligned ? size : 1;
    }

    /// <summary>Whether an operand is memory.</summary>
    public static bool HasMemory(this in Instruction code)
    {
        for (int i = 0; i < code.OpCount; i++)
        {
            if (code.GetOpKind(i) == OpKind.Memory)
                return true;
        }

        return false;
    }

    /// <summary>Whether an operand is a register of 256 bits.</summary>
    public static bool HasYmm(this in Instruction code)
    {
        for (int i = 0; i < code.OpCount; i++)
        {
            if (code.GetOpKind(i) == OpKind.Register && code.GetOpRegister(i).IsYMM())
                return true;
        }

        return false;
    }
}
