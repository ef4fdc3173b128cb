using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>The codes that random programs are made of, by family, with how often a family is chosen.</summary>
internal static class SequenceCodes
{
    private static readonly (Code[] Codes, int Weight)[] Families =
    [
        (Of("arithmetic"), 6),
        ([.. Of("arithmetic").Where(static code => IsCommon(code.Mnemonic()))], 14),
        ([.. Of("arithmetic").Where(static code => code.RflagsInfo().RflagsRead != RflagsBits.None)], 5),
        (Of("shifts"), 4),
        (Of("bits"), 4),
        (Of("exchanges"), 3),
        (Of("vectors"), 4),
        (Of("floats"), 3),
        (Of("string comparisons"), 1),
        (Of("new integers"), 4),
        (Of("ciphers"), 1),
        (Of("wide vectors"), 5),
        (Of("wide floats"), 3),
    ];

    private static readonly (Code[] Codes, int Weight)[] Present = [.. Families.Where(static family => family.Codes.Length > 0)];

    private static readonly int Sum = Present.Sum(static family => family.Weight);

    public static Code Pick(SiliconRandom random)
    {
        int at = random.Below(Sum);
        foreach ((Code[] codes, int weight) in Present)
        {
            if ((at -= weight) < 0)
                return codes[random.Below(codes.Length)];
        }

        throw new InvalidOperationException("the weights do not add up");
    }

    /// <summary>What is left out: approximations and dot products differ between processors, MXCSR must keep its masks, the rest has implicit operands.</summary>
    private static Code[] Of(string family) => [.. SiliconClass.All.Single(c => c.Name == family).Codes().Where(static code => code.Mnemonic() is not (
        Mnemonic.Dpps or Mnemonic.Dppd or Mnemonic.Rcpps or Mnemonic.Rcpss or Mnemonic.Rsqrtps or Mnemonic.Rsqrtss or Mnemonic.Ldmxcsr or Mnemonic.Vmaskmovdqu
        or Mnemonic.Xlatb or Mnemonic.Maskmovq or Mnemonic.Maskmovdqu or Mnemonic.Reservednop or Mnemonic.Std or Mnemonic.Sti or Mnemonic.Cli))];

    private static bool IsCommon(Mnemonic mnemonic) => mnemonic is Mnemonic.Mov or Mnemonic.Add or Mnemonic.Sub or Mnemonic.Cmp or Mnemonic.Test or Mnemonic.And
        or Mnemonic.Or or Mnemonic.Xor or Mnemonic.Lea or Mnemonic.Movzx or Mnemonic.Movsx or Mnemonic.Movsxd or Mnemonic.Inc or Mnemonic.Dec or Mnemonic.Neg or Mnemonic.Not or Mnemonic.Imul;
}

/// <summary>What the decoder's tables say of a code's flags, without operands.</summary>
internal static class SequenceCodeExtensions
{
    public static Instruction RflagsInfo(this Code code)
    {
        var instruction = default(Instruction);
        instruction.Code = code;
        return instruction;
    }
}
