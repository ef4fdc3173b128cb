namespace Xen.Cpu;

/// <summary>
/// Sequences that put the vector registers into the context and take them back; they change flags. Upper halves are saved when they are in use, which guest programs see to
/// that they seldom are (VZEROUPPER). The forms with VEX encoding clear them, so that nothing else need.
/// </summary>
internal static class VectorSaving
{
    private const int Registers = 16, StoreOpcode = 0x0F11, LoadOpcode = 0x0F10;

    /// <summary>Saves the registers. The upper halves are zero afterwards.</summary>
    public static void Save(Emitter emitter)
    {
        bool extended = CpuFeatures.OfHost.Has(Leaf1Ecx.Avx);
        for (int i = 0; i < Registers; i++)
        {
            if (extended)
                emitter.StoreVector(Lower(i), i);
            else
                emitter.Memory(false, StoreOpcode, i, Lower(i));
        }

        if (!extended)
            return;
        int unused = JumpIfUnused(emitter);
        for (int i = 0; i < Registers; i++)
            emitter.StoreUpperHalf(Upper(i), i);
        emitter.Store(HostAddress.Context(ContextOffsets.UpperHalvesStored), 1, wide: false);
        emitter.ClearUpperHalves();
        emitter.Bind(unused);
    }

    /// <summary>Loads the registers.</summary>
    public static void Load(Emitter emitter)
    {
        bool extended = CpuFeatures.OfHost.Has(Leaf1Ecx.Avx);
        for (int i = 0; i < Registers; i++)
        {
            if (extended)
                emitter.LoadVector(i, Lower(i));
            else
                emitter.Memory(false, LoadOpcode, i, Lower(i));
        }

        if (!extended)
            return;
        int unused = JumpIfUnused(emitter);
        for (int i = 0; i < Registers; i++)
            emitter.LoadUpperHalf(i, Upper(i));
        emitter.Bind(unused);
    }

    private static int JumpIfUnused(Emitter emitter)
    {
        emitter.Compare(HostAddress.Context(ContextOffsets.UpperHalvesInUse), 0, wide: false);
        return emitter.Jump(HostCondition.Equal);
    }

    private static HostAddress Lower(int register) => HostAddress.Context(ContextOffsets.Xmm + (register * 16));

    private static HostAddress Upper(int register) => HostAddress.Context(ContextOffsets.UpperHalves + (register * 16));
}
