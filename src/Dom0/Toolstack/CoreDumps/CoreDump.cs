using System.Buffers.Binary;
using Xen.Abi;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>
/// A core dump of a domain: an ELF file with sections for its vCPUs, its shared_info, the numbers of its pages and the pages themselves.
/// <b>Source</b>: docs/misc/dump-core-format.txt of Xen.
/// </summary>
/// <remarks>
/// <code>
/// headers | .shstrtab | .note.Xen | .xen_prstatus | .xen_shared_info | .note.prstatus | .xen_p2m | .xen_pages (aligned to pages)
/// </code>
/// Xen's dumps have sections only. These have program headers, too, and the vCPUs' registers as other cores have them, so that a debugger reads them by
/// the kernel's addresses.
/// What is small is taken by <see cref="Take"/>, while the domain stands still; the pages are copied while they are written.
/// </remarks>
internal sealed class CoreDump
{
    private const int P2mEntrySize = 16, PagesAtOnce = 256;

    private const string Notes = ".note.Xen", Contexts = ".xen_prstatus", SharedInfo = ".xen_shared_info", Processors = ".note.prstatus", P2m = ".xen_p2m";

    private readonly Domain _domain;
    private readonly IReadOnlyList<DomainPage> _pages;
    private readonly byte[] _contexts;
    private readonly byte[] _sharedInfo;
    private readonly byte[] _notes;
    private readonly byte[] _processors;
    private readonly ElfCoreLayout _layout;

    private CoreDump(Domain domain)
    {
        _domain = domain;
        _pages = domain.ListPages();
        VcpuGuestContext[] contexts = [.. domain.Vcpus.Select(VcpuContext.Save)];
        _contexts = [.. contexts.SelectMany(static context => GuestStructs.BytesOf(context))];
        _sharedInfo = domain.Machine.Memory.Frame(domain.SharedInfoFrame).ToArray();
        _notes = CoreDumpNotes.Write(contexts.Length, (ulong)_pages.Count);
        _processors = ProcessorNotes.Write(contexts);
        _layout = new ElfCoreLayout(
            KernelMappings.Find(domain, _pages),
            _pages,
            [
                new(Notes, ElfSection.TypeNote, (ulong)_notes.Length, 4, 0),
                new(Contexts, ElfSection.TypeProgBits, (ulong)_contexts.Length, 8, (ulong)(_contexts.Length / contexts.Length)),
                new(SharedInfo, ElfSection.TypeProgBits, (ulong)_sharedInfo.Length, 8, (ulong)_sharedInfo.Length),
                new(Processors, ElfSection.TypeNote, (ulong)_processors.Length, 4, 0),
                new(P2m, ElfSection.TypeProgBits, (ulong)_pages.Count * P2mEntrySize, 8, P2mEntrySize),
                new(ElfCoreLayout.Pages, ElfSection.TypeProgBits, (ulong)_pages.Count * Page.Size, Page.Size, Page.Size),
            ],
            Processors);
    }

    /// <summary>Size of the file. <b>Units</b>: bytes.</summary>
    public long Length => (long)_layout.Length;

    /// <summary>Takes what has to be of one moment. The domain is paused, or has shut down.</summary>
    public static CoreDump Take(Domain domain) => new(domain);

    /// <summary>Writes the file; pages of zeroes become holes. A page that the domain has given up meanwhile is zeroes, too.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Write(FileStream file)
    {
        file.Write(_layout.Head());
        Write(file, ElfCoreLayout.Names, _layout.NameTable);
        Write(file, Notes, _notes);
        Write(file, Contexts, _contexts);
        Write(file, SharedInfo, _sharedInfo);
        Write(file, Processors, _processors);
        WriteP2m(file);
        WritePages(file);
        file.SetLength(Length);
    }

    private void WriteP2m(FileStream file)
    {
        var entries = new byte[PagesAtOnce * P2mEntrySize];
        file.Position = (long)_layout.Find(P2m).Offset;
        for (int first = 0; first < _pages.Count; first += PagesAtOnce)
        {
            int count = Math.Min(PagesAtOnce, _pages.Count - first);
            for (int i = 0; i < count; i++)
            {
                DomainPage page = _pages[first + i];
                BinaryPrimitives.WriteUInt64LittleEndian(entries.AsSpan(i * P2mEntrySize), page.Pfn.Value);
                BinaryPrimitives.WriteUInt64LittleEndian(entries.AsSpan((i * P2mEntrySize) + 8), page.Frame.Value);
            }

            file.Write(entries.AsSpan(0, count * P2mEntrySize));
        }
    }

    private void WritePages(FileStream file)
    {
        var buffer = new byte[PagesAtOnce * Page.Size];
        long offset = (long)_layout.Find(ElfCoreLayout.Pages).Offset;
        for (int next = 0; next < _pages.Count;)
        {
            // As many pages as are not zero, one after the other.
            int count = 0;
            while (next + count < _pages.Count && count < PagesAtOnce && CopyPage(_pages[next + count], buffer.AsSpan(count * Page.Size, Page.Size)))
                count++;
            file.Position = offset + ((long)next * Page.Size);
            file.Write(buffer.AsSpan(0, count * Page.Size));
            next += count;
            if (count < PagesAtOnce)
                next++;
        }
    }

    /// <returns>Whether there is anything but zeroes in it.</returns>
    private bool CopyPage(DomainPage page, Span<byte> to) => _domain.TryCopyPage(page.Frame, to) && to.ContainsAnyExcept((byte)0);

    private void Write(FileStream file, string section, byte[] bytes)
    {
        file.Position = (long)_layout.Find(section).Offset;
        file.Write(bytes);
    }
}
