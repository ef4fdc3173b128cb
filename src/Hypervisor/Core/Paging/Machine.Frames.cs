using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>The machine's frames.</summary>
public sealed partial class Machine
{
    /// <summary>Owners, references and types of all frames.</summary>
    public FrameTable Frames { get; }

    /// <summary>The free frames.</summary>
    public FrameAllocator Allocator { get; }

    /// <summary>
    /// Takes a frame for the hypervisor and shares it with a domain, which may map it, writable too: shared_info, grant table.
    /// It does not count as the domain's memory.
    /// </summary>
    /// <param name="domain">The domain; need not exist yet.</param>
    /// <param name="frame">The frame, zeroed.</param>
    /// <returns>False when the machine has no frame left.</returns>
    public bool TryAllocateShared(DomId domain, out Mfn frame)
    {
        if (!Allocator.TryAllocate(out frame))
            return false;
        Frames.AssignShared(frame, domain);
        Memory.WriteM2p(frame, Pfn.Invalid.Value);
        return true;
    }

    /// <summary>Ends the share and frees the frame. The domain must have no mapping of it, cached or not.</summary>
    public void FreeShared(Mfn frame)
    {
        Frames.Unshare(frame);
        Code.NoteWrite(frame);
        Allocator.Free(frame, 1);
    }
}
