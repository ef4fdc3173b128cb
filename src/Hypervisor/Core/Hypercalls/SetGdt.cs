using Xen.Abi;

namespace Xen.Core;

/// <summary>set_gdt: the frames that hold the vCPU's descriptor table. <b>Source</b>: arch-x86/xen.h.</summary>
internal static class SetGdt
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: list of frames, number of entries. <b>Errors</b>: EINVAL, EFAULT.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        uint entries = (uint)arguments.A2;
        if (entries > GdtLayout.FirstReservedEntry)
            return XenErrno.EINVAL;
        Span<ulong> frames = stackalloc ulong[GdtLayout.FirstReservedPage];
        int needed = VcpuDescriptors.FramesFor((int)entries);
        for (int i = 0; i < needed; i++)
        {
            if (!GuestStructs.TryRead(vcpu, arguments.A1 + ((ulong)i * sizeof(ulong)), out frames[i]))
                return XenErrno.EFAULT;
        }

        return vcpu.Descriptors.SetGdt(frames[..needed], (int)entries, vcpu);
    }
}
