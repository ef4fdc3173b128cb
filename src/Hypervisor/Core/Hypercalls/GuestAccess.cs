using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// Copies between the hypervisor and a guest's linear address space. Each page is translated afresh through the guest's own tables,
/// with its permissions, and the second isolation check; a wild pointer is false (-EFAULT), never an exception.
/// </summary>
/// <remarks>While it copies, the vCPU counts as in the guest, so that a TLB flush waits for the copy to end.</remarks>
public static class GuestAccess
{
    /// <summary>Copies from the guest.</summary>
    public static bool Read(Vcpu vcpu, ulong address, Span<byte> destination)
    {
        VcpuState state = vcpu.State;
        state.EnterGuest();
        try
        {
            while (!destination.IsEmpty)
            {
                if (!TryPage(state, address, MemoryAccess.Read, out Mfn frame))
                    return false;
                int offset = (int)(address & Page.OffsetMask);
                int count = Math.Min(destination.Length, Page.Size - offset);
                state.Memory.Frame(frame).Slice(offset, count).CopyTo(destination);
                destination = destination[count..];
                address += (uint)count;
            }

            return true;
        }
        finally
        {
            state.LeaveGuest();
        }
    }

    /// <summary>Copies to the guest. What was written before a bad page stays written.</summary>
    public static bool Write(Vcpu vcpu, ulong address, ReadOnlySpan<byte> source)
    {
        VcpuState state = vcpu.State;
        state.EnterGuest();
        try
        {
            while (!source.IsEmpty)
            {
                if (!TryPage(state, address, MemoryAccess.Write, out Mfn frame))
                    return false;
                int offset = (int)(address & Page.OffsetMask);
                int count = Math.Min(source.Length, Page.Size - offset);
                state.Code.NoteWrite(frame);
                source[..count].CopyTo(state.Memory.Frame(frame)[offset..]);
                source = source[count..];
                address += (uint)count;
            }

            return true;
        }
        finally
        {
            state.LeaveGuest();
        }
    }

    /// <summary>Whether a result of that size could be written: checked before a hypercall changes anything.</summary>
    public static bool CanWrite(Vcpu vcpu, ulong address, int size)
    {
        VcpuState state = vcpu.State;
        ulong pages = ((address & Page.OffsetMask) + (uint)size + Page.OffsetMask) >> Page.Shift;
        for (ulong page = 0; page < pages; page++)
        {
            if (!TryPage(state, address + (page << Page.Shift), MemoryAccess.Write, out _))
                return false;
        }

        return true;
    }

    private static bool TryPage(VcpuState state, ulong address, MemoryAccess access, out Mfn frame)
    {
        frame = Mfn.Invalid;
        if (!CanonicalAddress.IsCanonical(address))
            return false;
        Translation translation = PageWalker.Walk(state.Memory, state.Root, address, access);
        frame = translation.Frame;
        return translation.Present && state.Environment.MayAccess(frame, access == MemoryAccess.Write);
    }
}
