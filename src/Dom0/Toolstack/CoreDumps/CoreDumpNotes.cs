using System.Buffers.Binary;
using System.Text;
using Xen.Abi;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>
/// The section .note.Xen of a core dump: that it is one, what is in it, of what hypervisor, and the version of the format.
/// <b>Source</b>: elfnote.h, XEN_ELFNOTE_DUMPCORE_; docs/misc/dump-core-format.txt of Xen.
/// </summary>
internal static class CoreDumpNotes
{
    private const uint None = 0x200_0000, Header = 0x200_0001, HypervisorVersion = 0x200_0002, FormatVersion = 0x200_0003;

    /// <summary>xch_magic of a PV domain's dump.</summary>
    private const ulong Magic = 0xF00F_EBED;

    /// <summary>Version 0.1: the high half is the major number.</summary>
    private const ulong CurrentFormat = 1;

    // char extra_version[16], compiler[64], by[16], domain[32], date[32], capabilities[1024], changeset[64]
    private const int ExtraVersionLength = 16, CompilerLength = 64, CompiledByLength = 16, CompileTextLength = 32, CapabilitiesLength = 1024, ChangesetLength = 64;

    /// <summary>The section's bytes.</summary>
    public static byte[] Write(int vcpus, ulong pages)
    {
        using var section = new MemoryStream();
        Add(section, None, []);
        Add(section, Header, Words(Magic, (ulong)vcpus, pages, Page.Size));
        Add(section, HypervisorVersion, DescribeHypervisor());
        Add(section, FormatVersion, Words(CurrentFormat));
        return section.ToArray();
    }

    private static byte[] DescribeHypervisor()
    {
        using var description = new MemoryStream();
        description.Write(Words(XenVersion.Major, XenVersion.Minor));
        Add(description, XenVersion.ExtraVersion, ExtraVersionLength);
        Add(description, XenVersion.Compiler, CompilerLength);
        Add(description, "", CompiledByLength);
        Add(description, "", CompileTextLength);
        Add(description, "", CompileTextLength);
        Add(description, XenVersion.Capabilities, CapabilitiesLength);
        Add(description, XenVersion.Changeset, ChangesetLength);
        description.Write(Words(HypervisorLayout.VirtStart, Page.Size));
        return description.ToArray();
    }

    private static void Add(MemoryStream section, uint type, ReadOnlySpan<byte> description)
    {
        Span<byte> head = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(head, 4);
        BinaryPrimitives.WriteUInt32LittleEndian(head[4..], (uint)description.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], type);
        "Xen\0"u8.CopyTo(head[12..]);
        section.Write(head);

        // All descriptions are whole words, as notes have to be aligned.
        section.Write(description);
    }

    private static void Add(MemoryStream to, string text, int length)
    {
        var field = new byte[length];
        Encoding.ASCII.GetBytes(text, field);
        to.Write(field);
    }

    private static byte[] Words(params ReadOnlySpan<ulong> words)
    {
        var bytes = new byte[words.Length * sizeof(ulong)];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * sizeof(ulong)), words[i]);
        return bytes;
    }
}
