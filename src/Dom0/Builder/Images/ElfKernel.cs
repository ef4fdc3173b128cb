using System.Collections.Immutable;
using System.Text;
using Xen.Abi;

namespace Xen.Builder.Images;

/// <summary>Reads an ELF64 x86-64 kernel: header, LOAD segments, Xen notes. <b>Source</b>: the ELF-64 object file format.</summary>
internal sealed class ElfKernel
{
    private const int HeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int SectionHeaderSize = 64;
    private const int MaxProgramHeaders = 512;
    private const int MaxSections = 8192;
    private const int MaxNotes = 1 << 20;

    private const byte Class32 = 1;
    private const byte Class64 = 2;
    private const byte LittleEndian = 1;
    private const ushort TypeExecutable = 2;
    private const ushort TypeShared = 3;
    private const ushort MachineX8664 = 62;
    private const uint SegmentLoad = 1;
    private const uint SegmentNote = 4;
    private const uint SectionNote = 7;
    private const uint SectionNoBits = 8;

    private readonly ImageBytes _image;

    private ElfKernel(ImageBytes image) => _image = image;

    public static ReadOnlySpan<byte> Magic => "\u007fELF"u8;

    /// <summary>The kernel in an ELF file.</summary>
    /// <exception cref="ImageException">Foreign, truncated, malformed or not for Xen PV.</exception>
    public static KernelImage Read(ImageBytes image)
    {
        var elf = new ElfKernel(image);
        elf.CheckHeader();
        var notes = elf.ReadNotes();
        KernelNotesCheck.Check(image.File, notes);
        return KernelImage.Create(image, elf.ReadSegments(notes.PaddrOffset ?? 0), image.UInt64(24, "header"), notes);
    }

    public static ImageException Is32Bit(string file) => new(
        file, "it is a 32-bit kernel, and domains here are 64-bit", "use a kernel built for x86-64 (amd64)");

    private void CheckHeader()
    {
        const string header = "ELF header";
        var file = _image.File;
        var kind = _image.Byte(4, header);
        if (kind == Class32)
        {
            throw Is32Bit(file);
        }

        _image.Slice(0, HeaderSize, header);
        if (kind != Class64 || _image.Byte(5, header) != LittleEndian || _image.UInt32(20, header) != 1)
        {
            throw ImageException.Malformed(file, "it is no little-endian ELF64 file of version 1");
        }

        if (_image.UInt16(18, header) is not MachineX8664 and var machine)
        {
            throw new ImageException(
                file, $"it is a kernel for another machine ({MachineName(machine)})", "use a kernel built for x86-64 (amd64)");
        }

        if (_image.UInt16(16, header) is not (TypeExecutable or TypeShared) and var type)
        {
            throw new ImageException(
                file,
                $"it is an ELF file of type {type}, not an executable image",
                "name a kernel (vmlinux, vmlinuz or an image linked for Xen)");
        }

        if (_image.UInt16(54, header) != ProgramHeaderSize && ProgramHeaders > 0)
        {
            throw ImageException.Malformed(file, "its ELF program headers have a wrong size");
        }

        if (ProgramHeaders is 0 or > MaxProgramHeaders)
        {
            throw ImageException.Malformed(file, $"it has {ProgramHeaders} ELF program headers, where a kernel has a few");
        }

        _image.Slice(_image.UInt64(32, header), (ulong)(ProgramHeaders * ProgramHeaderSize), "program headers");
    }

    private int ProgramHeaders => _image.UInt16(56, "ELF header");

    private ImmutableArray<KernelSegment> ReadSegments(ulong paddrOffset)
    {
        var segments = ImmutableArray.CreateBuilder<KernelSegment>();
        for (var i = 0; i < ProgramHeaders; i++)
        {
            var at = ProgramHeaderAt(i);
            var memorySize = _image.UInt64(at + 40, "program headers");
            if (_image.UInt32(at, "program headers") == SegmentLoad && memorySize != 0)
            {
                segments.Add(ReadSegment(i, at, memorySize, paddrOffset));
            }
        }

        segments.Sort((a, b) => a.PhysicalAddress.CompareTo(b.PhysicalAddress));
        return segments.ToImmutable();
    }

    private KernelSegment ReadSegment(int index, ulong at, ulong memorySize, ulong paddrOffset)
    {
        const string header = "program headers";
        var file = _image.File;
        var fileSize = _image.UInt64(at + 32, header);
        var paddr = _image.UInt64(at + 24, header);
        if (fileSize > memorySize)
        {
            throw ImageException.Malformed(file, $"its segment {index} is larger in the file than in memory");
        }

        if (paddr < paddrOffset)
        {
            throw ImageException.Malformed(
                file, $"its segment {index} has the physical address {paddr:x}, below its PADDR_OFFSET {paddrOffset:x}");
        }

        var start = paddr - paddrOffset;
        if (memorySize > KernelImage.MaxPhysicalEnd || start > KernelImage.MaxPhysicalEnd - memorySize)
        {
            throw ImageException.Malformed(
                file,
                $"its segment {index} ({memorySize:x} bytes at physical address {start:x}) reaches beyond {KernelImage.MaxPhysicalEnd >> 30} GiB");
        }

        var (offset, length) = _image.Locate(_image.UInt64(at + 8, header), fileSize, $"segment {index}");
        return new KernelSegment(start, memorySize, _image.Content, offset, length);
    }

    private XenNotes ReadNotes() =>
        ReadSegmentNotes()
        ?? ReadSectionNotes()
        ?? throw new ImageException(
            _image.File,
            "it has no Xen notes, so it was not built for Xen PV",
            "use a kernel built with CONFIG_XEN_PV, such as Debian's");

    private XenNotes? ReadSegmentNotes()
    {
        XenNotes? notes = null;
        for (var i = 0; i < ProgramHeaders; i++)
        {
            var at = ProgramHeaderAt(i);
            if (_image.UInt32(at, "program headers") == SegmentNote)
            {
                // p_filesz counts: p_memsz may be 0 where the notes are not loaded.
                notes = ReadNotesAt(
                    _image.UInt64(at + 8, "program headers"), _image.UInt64(at + 32, "program headers"), "note segment", notes);
            }
        }

        return notes;
    }

    private XenNotes? ReadSectionNotes()
    {
        const string header = "section headers";
        var table = _image.UInt64(40, "ELF header");
        var count = _image.UInt16(60, "ELF header");
        if (table == 0 || count is 0 or > MaxSections || _image.UInt16(58, "ELF header") != SectionHeaderSize)
        {
            return null;
        }

        _image.Slice(table, (ulong)(count * SectionHeaderSize), header);
        XenNotes? notes = null;
        ulong? legacy = null;
        for (var i = 0; i < count; i++)
        {
            var at = table + (ulong)(i * SectionHeaderSize);
            var type = _image.UInt32(at + 4, header);
            if (type == SectionNote)
            {
                notes = ReadNotesAt(_image.UInt64(at + 24, header), _image.UInt64(at + 32, header), "note section", notes);
            }
            else if (type != SectionNoBits && legacy is null && NameIs(table, count, _image.UInt32(at, header), ElfNotes.LegacySection))
            {
                legacy = at;
            }
        }

        if (notes is null && legacy is { } section)
        {
            var content = _image.Slice(_image.UInt64(section + 24, header), _image.UInt64(section + 32, header), "section __xen_guest");
            return LegacyGuestString.Read(_image.File, content.Span);
        }

        return notes;
    }

    private XenNotes? ReadNotesAt(ulong offset, ulong size, string what, XenNotes? known)
    {
        return _image.Locate(offset, size, what).Length <= MaxNotes
            ? ElfNoteReader.Read(_image.File, _image.Slice(offset, size, what).Span, known)
            : throw ImageException.Malformed(_image.File, $"its {what} has {size} bytes, more than notes ever have");
    }

    private bool NameIs(ulong table, int count, uint nameOffset, string name)
    {
        const string header = "section headers";
        var index = _image.UInt16(62, "ELF header");
        if (index >= count)
        {
            return false;
        }

        var at = table + (ulong)(index * SectionHeaderSize);
        var names = _image.Slice(_image.UInt64(at + 24, header), _image.UInt64(at + 32, header), "section names").Span;
        if (nameOffset >= names.Length)
        {
            return false;
        }

        var found = names[(int)nameOffset..];
        return found.IndexOf((byte)0) == name.Length && Ascii.Equals(found[..name.Length], name);
    }

    private ulong ProgramHeaderAt(int index) => _image.UInt64(32, "ELF header") + (ulong)(index * ProgramHeaderSize);

    private static string MachineName(ushort machine) => machine switch
    {
        3 => "32-bit x86",
        20 or 21 => "PowerPC",
        22 => "S/390",
        40 => "32-bit ARM",
        183 => "64-bit ARM",
        243 => "RISC-V",
        _ => $"ELF machine {machine}",
    };
}
