using System.Buffers.Binary;
using System.Text;
using Xen.Abi;

namespace Xen.GuestKit.Assembly;

/// <summary>A piece of an image that is loaded into memory.</summary>
/// <param name="PhysicalAddress">Pseudo-physical address, before PADDR_OFFSET is added.</param>
/// <param name="Content">The bytes in the file.</param>
/// <param name="MemorySize">The bytes in memory; what the file lacks is zero.</param>
/// <param name="Flags">ELF p_flags: 4 read, 2 write, 1 execute.</param>
internal readonly record struct GuestSegment(ulong PhysicalAddress, byte[] Content, ulong MemorySize, uint Flags);

/// <summary>Writes an ELF64 file: header, program headers, notes, segments, section headers.</summary>
internal sealed class GuestElf
{
    private const int HeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int SectionHeaderSize = 64;
    private const uint Load = 1;
    private const uint Note = 4;
    private const uint SectionProgbits = 1;
    private const uint SectionStrtab = 3;
    private const uint SectionNote = 7;

    private readonly GuestImageOptions _options;
    private readonly List<byte> _file = [];

    private GuestElf(GuestImageOptions options) => _options = options;

    public static byte[] Write(
        GuestImageOptions options, IReadOnlyList<GuestSegment> segments, ulong entry, ulong? hypercallPage)
    {
        var notes = options.Notes switch
        {
            NotePlacement.None => [],
            NotePlacement.LegacyString => GuestNotes.AsLegacyString(options, entry, hypercallPage),
            _ => GuestNotes.AsElfNotes(options, entry, hypercallPage),
        };
        var elf = new GuestElf(options);
        return options.Elf32 ? elf.WriteHeader32() : elf.WriteAll(segments, notes, entry);
    }

    private byte[] WriteAll(IReadOnlyList<GuestSegment> segments, byte[] notes, ulong entry)
    {
        var noteSegment = _options.Notes == NotePlacement.Segment;
        var headers = segments.Count + (noteSegment ? 1 : 0);
        var notesOffset = HeaderSize + (headers * ProgramHeaderSize);
        var offsets = new int[segments.Count];
        var next = AlignUp(notesOffset + notes.Length, Page.Size);
        for (var i = 0; i < segments.Count; i++)
        {
            offsets[i] = next;
            next = AlignUp(next + segments[i].Content.Length, Page.Size);
        }

        WriteHeader(entry, headers, sectionHeaders: next);
        for (var i = 0; i < segments.Count; i++)
        {
            var s = segments[i];
            WriteProgramHeader(
                Load, s.Flags, offsets[i], _options.VirtBase + s.PhysicalAddress,
                s.PhysicalAddress + (_options.PaddrOffset ?? 0), (ulong)s.Content.Length, s.MemorySize, Page.Size);
        }

        if (noteSegment)
        {
            WriteProgramHeader(Note, 4, notesOffset, 0, 0, (ulong)notes.Length, 0, 4);
        }

        _file.AddRange(notes);
        for (var i = 0; i < segments.Count; i++)
        {
            PadTo(offsets[i]);
            _file.AddRange(segments[i].Content);
        }

        PadTo(next);
        WriteSections(notesOffset, notes.Length, next);
        return [.. _file];
    }

    private void WriteHeader(ulong entry, int programHeaders, int sectionHeaders)
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        WriteIdent(header, is64: true);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], entry);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], HeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], (ulong)sectionHeaders);
        BinaryPrimitives.WriteUInt16LittleEndian(header[52..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[54..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[56..], (ushort)programHeaders);
        BinaryPrimitives.WriteUInt16LittleEndian(header[58..], SectionHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[60..], 3);
        BinaryPrimitives.WriteUInt16LittleEndian(header[62..], 2);
        _file.AddRange(header);
    }

    private byte[] WriteHeader32()
    {
        Span<byte> header = stackalloc byte[52];
        WriteIdent(header, is64: false);
        BinaryPrimitives.WriteUInt16LittleEndian(header[40..], 52);
        BinaryPrimitives.WriteUInt16LittleEndian(header[42..], 32);
        BinaryPrimitives.WriteUInt16LittleEndian(header[46..], 40);
        _file.AddRange(header);
        return [.. _file];
    }

    private void WriteIdent(Span<byte> header, bool is64)
    {
        "\u007fELF"u8.CopyTo(header);
        header[4] = (byte)(is64 ? 2 : 1);
        header[5] = 1;
        header[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(header[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header[18..], is64 ? _options.Machine : (ushort)3);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], 1);
    }

    private void WriteProgramHeader(
        uint type, uint flags, int offset, ulong virtualAddress, ulong physicalAddress, ulong fileSize, ulong memorySize, ulong align)
    {
        Span<byte> header = stackalloc byte[ProgramHeaderSize];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], flags);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], virtualAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], physicalAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], fileSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], memorySize);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], align);
        _file.AddRange(header);
    }

    private void WriteSections(int notesOffset, int notesLength, int sectionHeaders)
    {
        var legacy = _options.Notes == NotePlacement.LegacyString;
        var name = legacy ? ElfNotes.LegacySection : ".note.Xen";
        var names = Encoding.ASCII.GetBytes("\0" + name + "\0.shstrtab\0");
        var namesOffset = sectionHeaders + (3 * SectionHeaderSize);
        var listed = _options.Notes is NotePlacement.Section or NotePlacement.LegacyString;
        _file.AddRange(stackalloc byte[SectionHeaderSize]);
        WriteSectionHeader(1, legacy || !listed ? SectionProgbits : SectionNote, notesOffset, listed ? notesLength : 0);
        WriteSectionHeader((uint)name.Length + 2, SectionStrtab, namesOffset, names.Length);
        _file.AddRange(names);
    }

    private void WriteSectionHeader(uint name, uint type, int offset, int size)
    {
        Span<byte> header = stackalloc byte[SectionHeaderSize];
        BinaryPrimitives.WriteUInt32LittleEndian(header, name);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], type);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], (ulong)size);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], 4);
        _file.AddRange(header);
    }

    private void PadTo(int offset) => _file.AddRange(new byte[offset - _file.Count]);

    private static int AlignUp(int value, int align) => (value + align - 1) & -align;
}
