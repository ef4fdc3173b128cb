using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>What the hypervisor itself uses of a domain's frames: the roots of its vCPUs, and pages that it writes.</summary>
public sealed partial class Domain
{
    /// <summary>Frames that <see cref="TryHoldWritable"/> holds, each as often as it was asked.</summary>
    private readonly List<Mfn> _held = [];

    /// <summary>Changes the root of kernel mode (MMUEXT_NEW_BASEPTR). <b>Errors</b>: EINVAL when the frame cannot be an L4 table of the domain.</summary>
    /// <param name="vcpu">A vCPU that does not run, or that the calling thread runs.</param>
    /// <param name="root">The table.</param>
    /// <param name="current">The vCPU that the calling thread runs, if it does.</param>
    public XenErrno SetKernelRoot(Vcpu vcpu, Mfn root, Vcpu? current)
    {
        VcpuState state = vcpu.State;
        using PageTables.PagingSection section = Tables.Enter(current);
        if (root != state.KernelRoot)
        {
            XenErrno error = Tables.GetPageAndType(root, FrameType.L4Table);
            if (error != XenErrno.OK)
                return error;
            Mfn old = state.KernelRoot;
            state.KernelRoot = root;
            DropRoot(old);
        }

        if (vcpu == current)
            Flushes.FlushKernelLocal(vcpu);
        else
            Flushes.Flush(current, vcpu);
        return XenErrno.OK;
    }

    /// <summary>Changes the root of user mode (MMUEXT_NEW_USER_BASEPTR). <b>Errors</b>: EINVAL when the frame cannot be an L4 table of the domain.</summary>
    /// <param name="vcpu">A vCPU that does not run, or that the calling thread runs.</param>
    /// <param name="root">The table, or <see cref="Mfn.Invalid"/> for none.</param>
    /// <param name="current">The vCPU that the calling thread runs, if it does.</param>
    public XenErrno SetUserRoot(Vcpu vcpu, Mfn root, Vcpu? current)
    {
        VcpuState state = vcpu.State;
        using PageTables.PagingSection section = Tables.Enter(current);
        if (root != state.UserRoot)
        {
            XenErrno error = root == Mfn.Invalid ? XenErrno.OK : Tables.GetPageAndType(root, FrameType.L4Table);
            if (error != XenErrno.OK)
                return error;
            Mfn old = state.UserRoot;
            state.UserRoot = root;
            DropRoot(old);
        }

        if (vcpu == current)
            Flushes.FlushUserLocal(vcpu);
        else
            Flushes.Flush(current, vcpu);
        return XenErrno.OK;
    }

    /// <summary>
    /// Takes a frame of the domain for the hypervisor to write at any time (vcpu_info, event array): it stays the domain's and cannot become a
    /// page table. Undone by <see cref="ReleaseHold"/>, at the latest when the domain's memory is released.
    /// </summary>
    /// <returns>False when the frame is not the domain's, or is used as something else.</returns>
    public bool TryHoldWritable(Mfn frame, Vcpu? current)
    {
        using PageTables.PagingSection section = Tables.Enter(current);
        if (Tables.GetPageAndType(frame, FrameType.Writable) != XenErrno.OK)
            return false;
        _held.Add(frame);
        return true;
    }

    /// <summary>Ends a hold.</summary>
    public void ReleaseHold(Mfn frame, Vcpu? current)
    {
        using PageTables.PagingSection section = Tables.Enter(current);
        if (_held.Remove(frame))
            Tables.PutPageAndType(frame);
    }

    private void DropRoot(Mfn root)
    {
        if (root != Mfn.Invalid)
            Tables.PutPageAndType(root);
    }
}
