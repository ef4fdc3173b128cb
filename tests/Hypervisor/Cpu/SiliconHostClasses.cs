using System.Runtime.Intrinsics;
using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>Instructions that engines leave to the host's processor, for the silicon tests. On a host that does not have them the classes are empty.</summary>
internal static class SiliconHostClasses
{
    public static IReadOnlyList<SiliconClass> All { get; } =
    [
        new("new integers", code => InstructionSets.KindOf(code) == SiliconKind.General && !IsRandom(code), 3),
        new("ciphers", code => InstructionSets.KindOf(code) == SiliconKind.Vector, 2),
        new("wide vectors", code => InstructionSets.KindOf(code) == SiliconKind.Extended && !IsFloat(code), 6) { Prepare = PrepareVectors },
        new("wide floats", code => InstructionSets.KindOf(code) == SiliconKind.Extended && IsFloat(code), 6) { Prepare = PrepareFloats },
        new("masked moves", code => IsOffered(code) && HasElements(code.Mnemonic()) && code.Mnemonic() != Mnemonic.Vmaskmovdqu, 2) { Prepare = PrepareMasks },
    ];

    /// <summary>Whether elements of the memory operand are accessed one by one.</summary>
    public static bool HasElements(Mnemonic mnemonic) => mnemonic is
        Mnemonic.Vmaskmovps or Mnemonic.Vmaskmovpd or Mnemonic.Vpmaskmovd or Mnemonic.Vpmaskmovq or Mnemonic.Vmaskmovdqu || IsGather(mnemonic);

    private static bool IsGather(Mnemonic mnemonic) => mnemonic is
        Mnemonic.Vpgatherdd or Mnemonic.Vpgatherdq or Mnemonic.Vpgatherqd or Mnemonic.Vpgatherqq
        or Mnemonic.Vgatherdps or Mnemonic.Vgatherdpd or Mnemonic.Vgatherqps or Mnemonic.Vgatherqpd;

    private static bool IsOffered(Code code) => code.Encoding() == EncodingKind.VEX && InstructionSets.IsOffered(code);

    private static bool IsRandom(Code code) => code.Mnemonic() is Mnemonic.Rdrand or Mnemonic.Rdseed;

    private static bool IsFloat(Code code)
    {
        string name = code.Mnemonic().ToString();
        return name.StartsWith("Vfm", StringComparison.Ordinal) || name.StartsWith("Vfnm", StringComparison.Ordinal) || name.StartsWith("Vcvt", StringComparison.Ordinal)
            || name.StartsWith("Vcmp", StringComparison.Ordinal) || (!name.StartsWith("Vmov", StringComparison.Ordinal)
                && (name.EndsWith("ps", StringComparison.Ordinal) || name.EndsWith("pd", StringComparison.Ordinal)
                    || name.EndsWith("ss", StringComparison.Ordinal) || name.EndsWith("sd", StringComparison.Ordinal)));
    }

    /// <summary>Shift counts that are not all too large.</summary>
    private static bool PrepareVectors(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        if (random.OneIn(2))
            made.Registers.Xmm[random.Below(16)] = Vector128.Create((ulong)random.Below(70), random.Value()).AsByte();
        return true;
    }

    private static bool PrepareFloats(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        made.Registers.Mxcsr = random.OneIn(2) ? 0x1F80u : 0x1F80 | ((uint)random.Next() & 0xE07F);
        bool upper = made.Registers.UpperHalvesInUse != 0;
        for (int i = 0; i < 16; i++)
        {
            made.Registers.Xmm[i] = Floats(random);
            made.Registers.UpperHalves[i] = upper ? Floats(random) : default;
        }

        if (made.MemoryOperand < 0)
            return true;
        for (ulong i = 0; i < 32; i += 8)
            poke(made.MemoryAddress + i, Floats(random).AsUInt64()[0]);
        return true;
    }

    private static Vector128<byte> Floats(SiliconRandom random) => random.OneIn(2)
        ? Vector128.Create(SiliconVectorClasses.Double(random), SiliconVectorClasses.Double(random)).AsByte()
        : Vector128.Create(SiliconVectorClasses.Single(random), SiliconVectorClasses.Single(random), SiliconVectorClasses.Single(random), SiliconVectorClasses.Single(random)).AsByte();

    /// <summary>Gathers have three different registers, and indices that stay in the data.</summary>
    private static bool PrepareMasks(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        ref Instruction instruction = ref made.Instruction;
        if (!IsGather(instruction.Mnemonic))
            return true;
        int index = instruction.MemoryIndex.GetNumber(), destination = instruction.Op0Register.GetNumber(), mask = instruction.Op2Register.GetNumber();
        if (index == destination || index == mask || destination == mask)
            return false;
        bool narrow = instruction.Mnemonic is Mnemonic.Vpgatherdd or Mnemonic.Vpgatherdq or Mnemonic.Vgatherdps or Mnemonic.Vgatherdpd;
        made.Registers.Xmm[index] = Indices(random, narrow);
        if (made.Registers.UpperHalvesInUse != 0)
            made.Registers.UpperHalves[index] = Indices(random, narrow);
        return true;
    }

    private static Vector128<byte> Indices(SiliconRandom random, bool narrow) => narrow
        ? Vector128.Create(random.Below(128) - 64, random.Below(128) - 64, random.Below(128) - 64, random.Below(128) - 64).AsByte()
        : Vector128.Create(random.Below(128) - 64L, random.Below(128) - 64L).AsByte();
}
