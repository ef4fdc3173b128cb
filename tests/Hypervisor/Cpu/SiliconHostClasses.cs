using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>Instructions that engines leave to the host's processor, for the silicon tests. On a host that does not have them the classes are empty.</summary>
internal static class SiliconHostClasses
{
    public static IReadOnlyList<SiliconClass> All { get; } =
    [
        new("new integers", code => InstructionSets.KindOf(code) == SiliconKind.General && !IsRandom(code), 3),
        new("ciphers", code => InstructionSets.KindOf(code) == SiliconKind.Vector, 2),
    ];

    private static bool IsRandom(Code code) => code.Mnemonic() is Mnemonic.Rdrand or Mnemonic.Rdseed;
}
