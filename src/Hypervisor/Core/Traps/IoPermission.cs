using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>Who may use I/O instructions: by the virtual I/O privilege level, or a bitmap of ports. <b>Source</b>: physdev.h, set_iopl and set_iobitmap.</summary>
internal static class IoPermission
{
    /// <summary>Whether the level allows I/O and cli. The kernel counts as level 1, or 0 by VMASST_TYPE_architectural_iopl; user programs as 3.</summary>
    public static bool HasIopl(Vcpu vcpu)
    {
        int level = vcpu.State.Mode == GuestMode.User ? 3 : vcpu.Domain.HasAssist(VmAssistType.ArchitecturalIopl) ? 0 : 1;
        return vcpu.Traps.Iopl >= level;
    }

    /// <summary>Whether ports may be accessed.</summary>
    public static bool MayAccess(Vcpu vcpu, ushort port, int size)
    {
        if (HasIopl(vcpu))
            return true;
        if (port + size > vcpu.Traps.IoBitmapPorts)
            return false;
        Span<byte> bits = stackalloc byte[2];
        int bytes = ((port & 7) + size > 8) ? 2 : 1;
        if (!GuestAccess.Read(vcpu, vcpu.Traps.IoBitmap + ((uint)port >> 3), bits[..bytes]))
            return false;
        int mask = ((1 << size) - 1) << (port & 7);
        return ((bits[0] | (bits[1] << 8)) & mask) == 0;
    }
}
