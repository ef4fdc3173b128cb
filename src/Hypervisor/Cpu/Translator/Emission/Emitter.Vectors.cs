namespace Xen.Cpu;

/// <summary>The vector registers, by VEX-encoded instructions: those of 128 bits clear the upper halves.</summary>
internal sealed partial class Emitter
{
    private const int Map0F = 1, Map0F3A = 3, NoPrefix = 0, Prefix66 = 1;

    /// <summary>VMOVUPS from memory: the lower half of a vector register; the upper becomes zero.</summary>
    public void LoadVector(int register, in HostAddress from) => Vex(Map0F, NoPrefix, wide: false, 0x10, register, 0, in from);

    /// <summary>VMOVUPS to memory: the lower half of a vector register.</summary>
    public void StoreVector(in HostAddress to, int register) => Vex(Map0F, NoPrefix, wide: false, 0x11, register, 0, in to);

    /// <summary>VINSERTF128: the upper half of a vector register.</summary>
    public void LoadUpperHalf(int register, in HostAddress from)
    {
        Vex(Map0F3A, Prefix66, wide: true, 0x18, register, register, in from);
        Byte(1);
    }

    /// <summary>VEXTRACTF128: the upper half of a vector register.</summary>
    public void StoreUpperHalf(in HostAddress to, int register)
    {
        Vex(Map0F3A, Prefix66, wide: true, 0x19, register, 0, in to);
        Byte(1);
    }

    /// <summary>VZEROUPPER.</summary>
    public void ClearUpperHalves()
    {
        Byte(0xC5);
        Byte(0xF8);
        Byte(0x77);
    }

    private void Vex(int map, int prefix, bool wide, int opcode, int register, int second, in HostAddress address)
    {
        if (address.InContext)
            Byte(0x65);
        int extensions = (register >> 3 == 0 ? 0x80 : 0)
            | (address.Index == HostRegister.None || (int)address.Index >> 3 == 0 ? 0x40 : 0)
            | (address.Base == HostRegister.None || (int)address.Base >> 3 == 0 ? 0x20 : 0);
        Byte(0xC4);
        Byte(extensions | map);
        Byte(((~second & 15) << 3) | (wide ? 4 : 0) | prefix);
        Byte(opcode);
        ModRm(register, in address);
    }
}
