using System.Buffers.Binary;
using System.Text;
using Xen.Abi;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>A section that a file is to have.</summary>
internal readonly record struct WantedSection(string Name, uint Type, ulong Size, ulong Alignment, ulong EntrySize);

/// <summary>Where everything is in a core file, and the headers that say so. <b>Source</b>: elf.h.</summary>
internal sealed class ElfCoreLayout
{
    /// <summary>The section of names, and that of pages.</summary>
    public const string Names = ".shstrtab", Pages = ".xen_pages";

    private const int HeaderSize = 64, ProgramHeaderSize = 56;
    private const ushort TypeCore = 4, MachineX64 = 62;
    private const uint SegmentLoad = 1, SegmentNote = 4, Execute = 1, Write = 2, Read = 4;

    private readonly IReadOnlyList<KernelMapping> _mappings;
    private readonly IReadOnlyList<DomainPage> _pages;
    private readonly ElfSection[] _sections;
    private readonly string _noteSection;

    /// <param name="mappings">What the program headers say.</param>
    /// <param name="pages">The pages of section <see cref="Pages"/>.</param>
    /// <param name="wanted">The sections after that of names, in this order.</param>
    /// <param name="noteSection">The one that a program header names, too.</param>
    public ElfCoreLayout(IReadOnlyList<KernelMapping> mappings, IReadOnlyList<DomainPage> pages, IReadOnlyList<WantedSection> wanted, string noteSection)
    {
        _mappings = mappings;
        _pages = pages;
        _noteSection = noteSection;
        NameTable = Encoding.ASCII.GetBytes("\0" + Names + "\0" + string.Concat(wanted.Select(static section => section.Name + "\0")));
        List<ElfSection> sections = [new("", 0, 0, 0, 0, 0)];
        ulong end = HeaderSize + ((ulong)(mappings.Count + 1) * ProgramHeaderSize) + ((ulong)(wanted.Count + 2) * ElfSection.HeaderSize);
        foreach (WantedSection section in (WantedSection[])[new(Names, ElfSection.TypeStringTable, (ulong)NameTable.Length, 1, 0), .. wanted])
        {
            ulong offset = (end + section.Alignment - 1) & ~(section.Alignment - 1);
            sections.Add(new ElfSection(section.Name, section.Type, offset, section.Size, section.Alignment, section.EntrySize));
            end = offset + section.Size;
        }

        _sections = [.. sections];
        Length = end;
    }

    /// <summary>Size of the file. <b>Units</b>: bytes.</summary>
    public ulong Length { get; }

    /// <summary>The contents of section <see cref="Names"/>.</summary>
    public byte[] NameTable { get; }

    public ElfSection Find(string name) => Array.Find(_sections, section => section.Name == name)!;

    /// <summary>The beginning of the file: ELF header, program headers, section headers.</summary>
    public byte[] Head()
    {
        int programs = _mappings.Count + 1, sectionsAt = HeaderSize + (programs * ProgramHeaderSize);
        var head = new byte[sectionsAt + (_sections.Length * ElfSection.HeaderSize)];

        // 64 bits, little endian, version 1.
        ((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(head);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(16), TypeCore);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(18), MachineX64);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(32), HeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(40), (ulong)sectionsAt);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(52), HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(54), ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(56), (ushort)programs);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(58), ElfSection.HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(60), (ushort)_sections.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(62), 1);
        WriteProgramHeaders(head.AsSpan(HeaderSize));
        uint name = 0;
        for (int i = 0; i < _sections.Length; i++)
        {
            _sections[i].WriteHeader(head.AsSpan(sectionsAt + (i * ElfSection.HeaderSize)), name);
            name += (uint)_sections[i].Name.Length + 1;
        }

        return head;
    }

    private void WriteProgramHeaders(Span<byte> to)
    {
        ElfSection notes = Find(_noteSection);
        WriteProgramHeader(to, SegmentNote, 0, notes.Offset, 0, 0, notes.Size, notes.Alignment);
        ulong pages = Find(Pages).Offset;
        for (int i = 0; i < _mappings.Count; i++)
        {
            KernelMapping mapping = _mappings[i];
            WriteProgramHeader(
                to[((i + 1) * ProgramHeaderSize)..], SegmentLoad, Read | (mapping.Writable ? Write : 0) | (mapping.Executable ? Execute : 0),
                pages + ((ulong)mapping.FirstPage * Page.Size), mapping.Address, _pages[mapping.FirstPage].Pfn.Value << Page.Shift,
                (ulong)mapping.Count * Page.Size, Page.Size);
        }
    }

    private static void WriteProgramHeader(Span<byte> to, uint type, uint flags, ulong offset, ulong address, ulong physical, ulong size, ulong alignment)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to, type);
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], flags);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(to[16..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(to[24..], physical);
        BinaryPrimitives.WriteUInt64LittleEndian(to[32..], size);
        BinaryPrimitives.WriteUInt64LittleEndian(to[40..], type == SegmentNote ? 0 : size);
        BinaryPrimitives.WriteUInt64LittleEndian(to[48..], alignment);
    }
}
