namespace Xen.Builder.Images;

/// <summary>A part of a kernel that is loaded.</summary>
/// <param name="PhysicalAddress">Pseudo-physical address of its first byte. <b>Units</b>: bytes.</param>
/// <param name="Content">The bytes that the file has.</param>
/// <param name="MemorySize">Its size in memory; what the file lacks is zero. <b>Units</b>: bytes.</param>
public sealed record KernelSegment(ulong PhysicalAddress, ReadOnlyMemory<byte> Content, ulong MemorySize)
{
    /// <summary>Pseudo-physical address behind its last byte.</summary>
    public ulong PhysicalEnd => PhysicalAddress + MemorySize;
}
