using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using Xen.Abi;

namespace Xen.Builder.Images;

/// <summary>Reads Xen's notes out of a PT_NOTE segment or an SHT_NOTE section. <b>Source</b>: elfnote.h.</summary>
internal static class ElfNoteReader
{
    private const int HeaderSize = 12;
    private const int MaxString = 4096;

    /// <summary>Adds the notes of the owner "Xen" to those known already; null if there is none and none was known.</summary>
    /// <exception cref="ImageException">A note reaches beyond the end, or a Xen note says something unlawful.</exception>
    public static XenNotes? Read(string file, ReadOnlySpan<byte> notes, XenNotes? known)
    {
        while (notes.Length >= HeaderSize)
        {
            var nameSize = BinaryPrimitives.ReadUInt32LittleEndian(notes);
            var descriptionSize = BinaryPrimitives.ReadUInt32LittleEndian(notes[4..]);
            var type = BinaryPrimitives.ReadUInt32LittleEndian(notes[8..]);
            var descriptionAt = HeaderSize + AlignUp(nameSize);
            if (descriptionAt + descriptionSize > (ulong)notes.Length)
            {
                throw ImageException.Malformed(file, "one of its ELF notes reaches beyond the end of the notes");
            }

            var name = notes.Slice(HeaderSize, (int)nameSize);
            if (IsXen(name))
            {
                known = Add(file, known ?? new XenNotes(), (ElfNoteType)type, notes.Slice((int)descriptionAt, (int)descriptionSize));
            }

            notes = notes[(int)Math.Min(descriptionAt + AlignUp(descriptionSize), (ulong)notes.Length)..];
        }

        return known;
    }

    private static bool IsXen(ReadOnlySpan<byte> name) =>
        name is [.. var owner, 0] && Ascii.Equals(owner, ElfNotes.Owner);

    private static XenNotes Add(string file, XenNotes notes, ElfNoteType type, ReadOnlySpan<byte> value) => type switch
    {
        ElfNoteType.Entry => notes with { Entry = Number(file, type, value) },
        ElfNoteType.HypercallPage => notes with { HypercallPage = Number(file, type, value) },
        ElfNoteType.VirtBase => notes with { VirtBase = Number(file, type, value) },
        ElfNoteType.PaddrOffset => notes with { PaddrOffset = Number(file, type, value) },
        ElfNoteType.HvStartLow => notes with { HvStartLow = Number(file, type, value) },
        ElfNoteType.InitP2m => notes with { InitP2m = Number(file, type, value) },
        ElfNoteType.Phys32Entry => notes with { Phys32Entry = Number(file, type, value) },
        ElfNoteType.ModStartPfn => notes with { ModStartPfn = Number(file, type, value) != 0 },
        ElfNoteType.SuspendCancel => notes with { SuspendCancel = Number(file, type, value) != 0 },
        ElfNoteType.XenVersion => notes with { XenVersion = Text(value) },
        ElfNoteType.GuestOs => notes with { GuestOs = Text(value) },
        ElfNoteType.GuestVersion => notes with { GuestVersion = Text(value) },
        ElfNoteType.Loader => notes with { Loader = Text(value) },
        ElfNoteType.PaeMode => notes with { PaeMode = Text(value) },
        ElfNoteType.BsdSymtab => notes with { BsdSymtab = Text(value) == "yes" },
        ElfNoteType.L1MfnValid => notes with { L1MfnValid = Pairs(file, value) },
        ElfNoteType.Features => notes with { Features = Union(notes.Features, KernelFeatures.Parse(file, Text(value))) },
        ElfNoteType.SupportedFeatures => notes with
        {
            Features = notes.Features with { Supported = notes.Features.Supported | (uint)Number(file, type, value) },
        },
        _ => notes, // of a later Xen, or INFO
    };

    private static KernelFeatures Union(KernelFeatures a, KernelFeatures b) => new(a.Supported | b.Supported, a.Required | b.Required);

    private static ulong Number(string file, ElfNoteType type, ReadOnlySpan<byte> value) => value.Length switch
    {
        4 => BinaryPrimitives.ReadUInt32LittleEndian(value),
        8 => BinaryPrimitives.ReadUInt64LittleEndian(value),
        _ => throw ImageException.Malformed(file, $"its Xen note {(uint)type} ({type}) has {value.Length} bytes and should have 4 or 8"),
    };

    private static ImmutableArray<(ulong Mask, ulong Value)> Pairs(string file, ReadOnlySpan<byte> value)
    {
        const int pairSize = 2 * sizeof(ulong);
        if (value.Length % pairSize != 0 || value.Length > MaxString)
        {
            throw ImageException.Malformed(file, $"its Xen note {(uint)ElfNoteType.L1MfnValid} (L1MfnValid) is not a list of pairs");
        }

        var pairs = ImmutableArray.CreateBuilder<(ulong Mask, ulong Value)>(value.Length / pairSize);
        for (; !value.IsEmpty; value = value[pairSize..])
        {
            pairs.Add((BinaryPrimitives.ReadUInt64LittleEndian(value), BinaryPrimitives.ReadUInt64LittleEndian(value[sizeof(ulong)..])));
        }

        return pairs.MoveToImmutable();
    }

    private static string Text(ReadOnlySpan<byte> value)
    {
        value = value[..Math.Min(value.Length, MaxString)];
        var end = value.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? value : value[..end]);
    }

    private static ulong AlignUp(uint size) => (size + 3ul) & ~3ul;
}
