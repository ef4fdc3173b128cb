using Xen.Abi;

namespace Xen.Core;

/// <summary>physdev_op: I/O privilege, and physical devices, which an unprivileged guest does not have. <b>Source</b>: physdev.h.</summary>
internal static class PhysdevOp
{
    private const uint MostPorts = 65536;
    private const uint LastCompatCommand = (uint)PhysdevOperation.FreeIrqVector;

    /// <summary>The union of physdev_op is aligned to 8 bytes.</summary>
    private const ulong CompatArgument = 8;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: command, its structure. <b>Errors</b>: EFAULT, EINVAL, EPERM (physical devices), ENOSYS.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments) => (PhysdevOperation)(uint)arguments.A1 switch
    {
        PhysdevOperation.SetIopl => SetIopl(vcpu, arguments.A2),
        PhysdevOperation.SetIobitmap => SetIobitmap(vcpu, arguments.A2),
        PhysdevOperation.PirqEoiGmfnV1 or PhysdevOperation.PirqEoiGmfnV2 => SetEoiFrame(vcpu, arguments.A2),
        PhysdevOperation.IrqStatusQuery or PhysdevOperation.Eoi => XenErrno.EINVAL,
        >= PhysdevOperation.IrqStatusQuery and <= PhysdevOperation.ReleaseMsix => XenErrno.EPERM,
        _ => XenErrno.ENOSYS,
    };

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>physdev_op_compat. Argument: physdev_op, a command and its structure.</remarks>
    public static HypercallResult HandleCompat(Vcpu vcpu, in HypercallArguments arguments)
    {
        if (!GuestStructs.TryRead(vcpu, arguments.A1, out uint command))
            return XenErrno.EFAULT;
        return command <= LastCompatCommand
            ? Handle(vcpu, arguments with { A1 = command, A2 = arguments.A1 + CompatArgument })
            : XenErrno.ENOSYS;
    }

    private static HypercallResult SetIopl(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out uint iopl))
            return XenErrno.EFAULT;
        if (iopl > 3)
            return XenErrno.EINVAL;
        vcpu.Traps.Iopl = (int)iopl;
        return XenErrno.OK;
    }

    private static HypercallResult SetIobitmap(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out PhysdevSetIobitmap request))
            return XenErrno.EFAULT;
        if (request.NrPorts > MostPorts)
            return XenErrno.EINVAL;
        vcpu.Traps.IoBitmap = request.Bitmap;
        vcpu.Traps.IoBitmapPorts = request.NrPorts;
        return XenErrno.OK;
    }

    /// <summary>A bit array by which the hypervisor tells which physical interrupts want an end-of-interrupt. There are none, so it is never written.</summary>
    private static HypercallResult SetEoiFrame(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out ulong frame))
            return XenErrno.EFAULT;
        var mfn = new Mfn(frame);
        return vcpu.Domain.Machine.Memory.Contains(mfn) && vcpu.Domain.MayAccess(mfn, write: true) ? XenErrno.OK : XenErrno.EINVAL;
    }
}
