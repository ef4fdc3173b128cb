using System.Buffers.Binary;

namespace Xen.Toolstack;

/// <summary>A section of an ELF file of 64 bits, as its header says it. <b>Source</b>: elf.h, Elf64_Shdr.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">SHT_.</param>
/// <param name="Offset">Where it is in the file. <b>Units</b>: bytes.</param>
/// <param name="Size"><b>Units</b>: bytes.</param>
/// <param name="Alignment">Of its offset.</param>
/// <param name="EntrySize">Of a section that is a table; else 0.</param>
internal sealed record ElfSection(string Name, uint Type, ulong Offset, ulong Size, ulong Alignment, ulong EntrySize)
{
    public const uint TypeProgBits = 1, TypeStringTable = 3, TypeNote = 7;

    /// <summary>Size of a header. <b>Units</b>: bytes.</summary>
    public const int HeaderSize = 64;

    public ulong End => Offset + Size;

    /// <summary>Writes the header.</summary>
    /// <param name="to">Room for it.</param>
    /// <param name="name">Where its name stands in the string table.</param>
    public void WriteHeader(Span<byte> to, uint name)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to, name);
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], Type);
        BinaryPrimitives.WriteUInt64LittleEndian(to[24..], Offset);
        BinaryPrimitives.WriteUInt64LittleEndian(to[32..], Size);
        BinaryPrimitives.WriteUInt64LittleEndian(to[48..], Alignment);
        BinaryPrimitives.WriteUInt64LittleEndian(to[56..], EntrySize);
    }
}
