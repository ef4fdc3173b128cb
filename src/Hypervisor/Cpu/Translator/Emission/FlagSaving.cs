namespace Xen.Cpu;

/// <summary>
/// Sequences that put the guest's flags into the context and take them back; by way of rax and the second scratch register. LAHF and SETO are faster than
/// PUSHF, an addition and SAHF than POPF:
/// <code>
///  63          16 15            8 7          0
/// +--------------+----------------+-----------+
/// |              |  SF ZF AF PF CF |    OF     |
/// +--------------+----------------+-----------+
/// </code>
/// </summary>
internal static class FlagSaving
{
    private const ulong LowFlags = LazyFlags.All & ~LazyFlags.Overflow, AlwaysSet = 2;
    private const int OverflowBit = 11;

    /// <summary>Saves the flags. Flags and other registers stay.</summary>
    public static void Save(Emitter emitter)
    {
        emitter.Move(RegisterMap.Scratch2, HostRegister.Rax);
        emitter.Byte(0x9F); // lahf
        emitter.Byte(0x0F); // seto al
        emitter.Byte(0x90);
        emitter.Byte(0xC0);
        emitter.Store(HostAddress.Context(ContextOffsets.SavedFlags), HostRegister.Rax);
        emitter.Move(HostRegister.Rax, RegisterMap.Scratch2);
    }

    /// <summary>Takes the flags back. Other registers stay.</summary>
    public static void Restore(Emitter emitter)
    {
        emitter.Move(RegisterMap.Scratch2, HostRegister.Rax);
        LoadByRax(emitter);
        emitter.Move(HostRegister.Rax, RegisterMap.Scratch2);
    }

    /// <summary>Takes the flags back. Changes rax.</summary>
    public static void LoadByRax(Emitter emitter)
    {
        emitter.Load(HostRegister.Rax, HostAddress.Context(ContextOffsets.SavedFlags));
        emitter.Byte(0x04); // add al, 7F
        emitter.Byte(0x7F);
        emitter.Byte(0x9E); // sahf
    }

    /// <summary>Saved flags as bits of rflags.</summary>
    public static ulong ToBits(ulong saved) => ((saved >> 8) & LowFlags) | ((saved & 1) << OverflowBit);

    /// <summary>What <see cref="ToBits"/> makes these bits of.</summary>
    public static ulong FromBits(ulong rflags) => (((rflags & LowFlags) | AlwaysSet) << 8) | ((rflags >> OverflowBit) & 1);
}
