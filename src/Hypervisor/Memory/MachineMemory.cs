using Xen.Abi;

namespace Xen.Memory;

/// <summary>
/// The machine's memory: one sparse mapping, divided into 4 KiB frames. What no one has written costs the host nothing.
/// </summary>
/// <remarks>
/// Layout of the mapping, in frames:
/// <code>
/// 0            1 ... M2pFrames           M2pFrames + 1 ... FrameCount - 1
/// (never used) machine-to-physical table (handed out by FrameAllocator)
/// </code>
/// Accesses to a frame are atomic per naturally aligned 1, 2, 4 or 8 bytes. Nothing here knows who owns a frame:
/// that is the frame table's part, and callers check there first.
/// </remarks>
public sealed partial class MachineMemory : IDisposable
{
    /// <summary>First frame of the machine-to-physical table; one 64-bit pfn per frame.</summary>
    public static readonly Mfn FirstM2pFrame = new(1);

    private readonly ulong _m2pFrames;

    /// <summary>Creates a machine with <paramref name="frameCount"/> frames of 4 KiB.</summary>
    /// <exception cref="InsufficientMemoryException">The host refuses the mapping.</exception>
    public MachineMemory(ulong frameCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frameCount, 64ul);
        FrameCount = frameCount;
        _m2pFrames = ((frameCount * sizeof(ulong)) + Page.OffsetMask) >> Page.Shift;
        Map();
    }

    /// <summary>How many frames there are; valid frames are below this.</summary>
    public ulong FrameCount { get; }

    /// <summary>How many frames the machine-to-physical table takes, from <see cref="FirstM2pFrame"/> on.</summary>
    public ulong M2pFrames => _m2pFrames;

    /// <summary>The first frame that may be handed out.</summary>
    public Mfn FirstAllocatable => FirstM2pFrame + _m2pFrames;

    /// <summary>Whether the number names a frame of this machine at all.</summary>
    public bool Contains(Mfn frame) => frame.Value < FrameCount;

    /// <summary>The frame's entry in the machine-to-physical table that guests read.</summary>
    public ulong ReadM2p(Mfn frame) => ReadUInt64(FirstM2pFrame.Address + (frame.Value * sizeof(ulong)));

    /// <summary>Sets the frame's entry in the machine-to-physical table.</summary>
    public void WriteM2p(Mfn frame, ulong pfn) => WriteUInt64(FirstM2pFrame.Address + (frame.Value * sizeof(ulong)), pfn);
}
