using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>set_segment_base: the bases of FS and GS. <b>Source</b>: arch-x86/xen-x86_64.h, SEGBASE_.</summary>
internal static class SetSegmentBase
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: which, base (or selector). <b>Errors</b>: EINVAL not canonical or unknown. A selector that cannot be loaded becomes null, as a failing load in Xen.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        ulong value = arguments.A2;
        var which = (SegmentBase)(uint)arguments.A1;
        if (which != SegmentBase.GsUserSel && !CanonicalAddress.IsCanonical(value))
            return XenErrno.EINVAL;

        VcpuState state = vcpu.State;
        switch (which)
        {
            case SegmentBase.Fs:
                state.Registers.FsBase = value;
                break;
            case SegmentBase.GsUser:
                state.InactiveGsBase = value;
                break;
            case SegmentBase.GsKernel:
                state.Registers.GsBase = value;
                break;
            case SegmentBase.GsUserSel:
                LoadUserGs(vcpu, (ushort)value);
                break;
            default:
                return XenErrno.EINVAL;
        }

        return XenErrno.OK;
    }

    private static void LoadUserGs(Vcpu vcpu, ushort selector)
    {
        bool isNull = (selector & ~3) == 0;
        ulong descriptor = 0;
        if (!isNull && (!vcpu.Descriptors.TryReadDescriptor(selector, out descriptor) || !IsLoadableData(descriptor)))
        {
            selector = 0;
            descriptor = 0;
        }

        vcpu.State.Registers.Gs = selector;
        vcpu.State.InactiveGsBase = BaseOf(descriptor);
    }

    /// <summary>Whether ring 3 may load the descriptor into a data segment register: present, DPL 3, data or readable code.</summary>
    private static bool IsLoadableData(ulong descriptor)
    {
        uint access = (uint)(descriptor >> 40) & 0xFF;
        bool present = (access & 0x80) != 0, codeOrData = (access & 0x10) != 0, unprivileged = (access & 0x60) == 0x60;
        bool readable = (access & 0x08) == 0 || (access & 0x02) != 0;
        return present && codeOrData && unprivileged && readable;
    }

    private static ulong BaseOf(ulong descriptor) => ((descriptor >> 16) & 0xFF_FFFF) | ((descriptor >> 32) & 0xFF00_0000);
}
