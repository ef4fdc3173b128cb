using System.Collections.Immutable;
using Xen.Abi;

namespace Xen.Builder.Images;

/// <summary>
/// A PV kernel, read and checked: where its parts go and how it wants to be started. Immutable; its parts last until it is disposed of.
/// </summary>
/// <remarks>
/// A part is placed by its physical address: virtual address = p_paddr - PADDR_OFFSET + VIRT_BASE.
/// Its p_vaddr does not count (Linux's per-cpu segment has p_vaddr 0).
/// </remarks>
public sealed class KernelImage : IDisposable
{
    /// <summary>No part of a kernel may lie beyond. <b>Units</b>: bytes, pseudo-physical.</summary>
    public const ulong MaxPhysicalEnd = 4ul << 30;

    /// <summary>The file's content, where that is its own.</summary>
    private IDisposable? _file;

    private KernelImage(string name, ImageContent content, ImmutableArray<KernelSegment> segments, ulong entry, ulong virtBase, XenNotes notes)
    {
        Name = name;
        Content = content;
        Segments = segments;
        Entry = entry;
        VirtBase = virtBase;
        Notes = notes;
        HypercallPage = notes.Legacy ? virtBase + (notes.HypercallPage << Page.Shift) : notes.HypercallPage;
    }

    /// <summary>The file it came from.</summary>
    public string Name { get; }

    /// <summary>The parts to load, by rising address; they do not overlap.</summary>
    public ImmutableArray<KernelSegment> Segments { get; }

    /// <summary>Virtual address of the first instruction.</summary>
    public ulong Entry { get; }

    /// <summary>Virtual address of pseudo-physical address 0.</summary>
    public ulong VirtBase { get; }

    /// <summary>Virtual address of the page to fill with hypercall stubs, or null if the kernel has none.</summary>
    public ulong? HypercallPage { get; }

    /// <summary>All that the kernel said, as it said it.</summary>
    public XenNotes Notes { get; }

    /// <summary>Pseudo-physical address of the first part.</summary>
    public ulong PhysicalStart => Segments[0].PhysicalAddress;

    /// <summary>Pseudo-physical address behind the last part.</summary>
    public ulong PhysicalEnd => Segments[^1].PhysicalEnd;

    /// <summary>The unpacked image.</summary>
    internal ImageContent Content { get; }

    /// <summary>
    /// Reads a kernel file: an ELF64 image, a gzipped one, or Linux's bzImage. Parts that do not say how to start it may be left packed:
    /// whether they are damaged turns out when a domain is built.
    /// </summary>
    /// <exception cref="ImageException">The file is not a kernel that a PV domain can start.</exception>
    public static KernelImage Load(string path)
    {
        var file = ImageFile.Read(path);
        try
        {
            var kernel = Parse(file.Memory, path);
            kernel._file = file;
            return kernel;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Reads a kernel from bytes, which must last as long as the image; <paramref name="name"/> stands for the file in messages.
    /// </summary>
    /// <exception cref="ImageException">The bytes are not a kernel that a PV domain can start.</exception>
    public static KernelImage Parse(ReadOnlyMemory<byte> content, string name)
    {
        var image = new ImageBytes(name, content);
        if (image.StartsWith(ElfKernel.Magic))
        {
            return ElfKernel.Read(image);
        }

        if (BzImage.IsOne(image))
        {
            var payload = BzImage.Payload(image);
            return Payload.IsPlain(payload.Span)
                ? ElfKernel.Read(new ImageBytes(name, payload))
                : ReadUnpacked(name, Payload.Unpack(name, payload), "what its boot image holds is not an ELF kernel");
        }

        var format = CompressionFormats.Recognise(content.Span);
        if (format == CompressionFormat.Gzip)
        {
            return ReadUnpacked(name, Payload.Gunzip(name, content.Span), "it is a gzip file of something that is not an ELF kernel");
        }

        throw new ImageException(
            name,
            format == CompressionFormat.None
                ? "it is not a kernel (neither an ELF file nor a bzImage)"
                : $"it is {format.Name()}-compressed data, not a kernel",
            format == CompressionFormat.None ? "name a kernel, such as vmlinuz or vmlinux" : "unpack it first");
    }

    /// <summary>Gives back what its parts are in. They can be read no more.</summary>
    public void Dispose()
    {
        Content.Dispose();
        _file?.Dispose();
    }

    internal static KernelImage Create(ImageBytes image, ImmutableArray<KernelSegment> segments, ulong headerEntry, XenNotes notes)
    {
        var name = image.File;
        CheckSegments(name, segments);
        var kernel = new KernelImage(name, image.Content, segments, notes.Entry ?? headerEntry, notes.VirtBase ?? 0, notes);
        kernel.CheckAddresses();
        return kernel;
    }

    private static KernelImage ReadUnpacked(string name, ImageContent unpacked, string otherwise)
    {
        try
        {
            var image = new ImageBytes(name, unpacked);
            return image.StartsWith(ElfKernel.Magic)
                ? ElfKernel.Read(image)
                : throw new ImageException(name, otherwise, "name a kernel, such as vmlinuz or vmlinux");
        }
        catch
        {
            unpacked.Dispose();
            throw;
        }
    }

    private static void CheckSegments(string name, ImmutableArray<KernelSegment> segments)
    {
        if (segments.IsEmpty)
        {
            throw ImageException.Malformed(name, "it has no part to load (no LOAD segment)");
        }

        for (var i = 1; i < segments.Length; i++)
        {
            if (segments[i].PhysicalAddress < segments[i - 1].PhysicalEnd)
            {
                throw ImageException.Malformed(name, $"two of its segments overlap at physical address {segments[i].PhysicalAddress:x}");
            }
        }
    }

    private void CheckAddresses()
    {
        if ((VirtBase & Page.OffsetMask) != 0)
        {
            throw ImageException.Malformed(Name, $"its VIRT_BASE {VirtBase:x} is not the start of a page");
        }

        if (!KernelNotesCheck.IsGuestRange(VirtBase, unchecked(VirtBase + PhysicalEnd - 1)))
        {
            throw ImageException.Malformed(
                Name, $"it would reach from {VirtBase:x} over {PhysicalEnd:x} bytes, which is not a guest's part of the address space");
        }

        if (!Contains(Entry, 1))
        {
            throw ImageException.Malformed(Name, $"its entry point {Entry:x} is outside of the image");
        }

        if (HypercallPage is { } page && ((page & Page.OffsetMask) != 0 || !Contains(page, Page.Size)))
        {
            throw ImageException.Malformed(Name, $"its hypercall page {page:x} is not a page of the image");
        }
    }

    /// <summary>Whether virtual addresses lie within the pages of the image.</summary>
    private bool Contains(ulong address, ulong size)
    {
        var end = (PhysicalEnd + Page.OffsetMask) & ~Page.OffsetMask;
        return address >= VirtBase && address - VirtBase >= (PhysicalStart & ~Page.OffsetMask) && address - VirtBase <= end - size;
    }
}
