namespace Xen.Builder.Images;

/// <summary>A part of a kernel that is loaded.</summary>
public sealed class KernelSegment
{
    private readonly ImageContent _image;

    internal KernelSegment(ulong physicalAddress, ulong memorySize, ImageContent image, int fileOffset, int fileSize)
    {
        PhysicalAddress = physicalAddress;
        MemorySize = memorySize;
        _image = image;
        FileOffset = fileOffset;
        FileSize = fileSize;
    }

    /// <summary>Pseudo-physical address of its first byte. <b>Units</b>: bytes.</summary>
    public ulong PhysicalAddress { get; }

    /// <summary>Its size in memory; what the file lacks is zero. <b>Units</b>: bytes.</summary>
    public ulong MemorySize { get; }

    /// <summary>Pseudo-physical address behind its last byte.</summary>
    public ulong PhysicalEnd => PhysicalAddress + MemorySize;

    /// <summary>The bytes that the file has; they are unpacked now if they were not before.</summary>
    /// <exception cref="ImageException">They do not unpack.</exception>
    public ReadOnlyMemory<byte> Content
    {
        get
        {
            _image.Need(FileOffset, FileSize);
            return _image.Bytes.Slice(FileOffset, FileSize);
        }
    }

    /// <summary>Where the bytes that the file has are in the unpacked image.</summary>
    internal int FileOffset { get; }

    /// <summary>How many bytes the file has.</summary>
    internal int FileSize { get; }
}
