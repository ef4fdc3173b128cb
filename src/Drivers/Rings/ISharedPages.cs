using Xen.Abi;

namespace Xen.Rings;

/// <summary>
/// Pages shared with one peer that belong together, such as those of a ring: one after the other for whoever counts bytes in them, each at
/// its own place in memory. The peer can write them at any time: copy once, decide on the copy.
/// </summary>
public interface ISharedPages : IDisposable
{
    /// <summary>How many pages there are; at least 1.</summary>
    int Count { get; }

    /// <summary>The bytes of one of the pages; 4096 of them, valid until <see cref="IDisposable.Dispose"/>.</summary>
    Span<byte> Bytes(int page);

    /// <summary>To be called after writing to a page and before the peer is told. <b>Source</b>: <see cref="IGrantPort.MarkWritten"/>.</summary>
    void MarkWritten(int page);
}

/// <summary>Pages of this side's own, for a frontend or a test. Disposing disposes each.</summary>
public sealed class SharedPages(params ISharedPage[] pages) : ISharedPages
{
    /// <inheritdoc/>
    public int Count => pages.Length;

    /// <inheritdoc/>
    public Span<byte> Bytes(int page) => pages[page].Bytes;

    /// <summary>Nothing: who owns a page sees what is written to it.</summary>
    public void MarkWritten(int page)
    {
    }

    public void Dispose()
    {
        foreach (ISharedPage page in pages)
            page.Dispose();
    }
}

/// <summary>Pages that a peer has granted, mapped until they are disposed of.</summary>
/// <remarks>Reading and writing: any thread, but not at the time of <see cref="Dispose"/>, which may be called twice.</remarks>
public sealed class GrantedPages : ISharedPages
{
    private readonly IGrantPort _port;
    private readonly GrantMapping[] _mappings;
    private int _disposed;

    private GrantedPages(IGrantPort port, GrantMapping[] mappings) => (_port, _mappings) = (port, mappings);

    /// <inheritdoc/>
    public int Count => _mappings.Length;

    /// <summary>Maps pages, all or none.</summary>
    /// <param name="port">Maps them.</param>
    /// <param name="granter">Who granted them.</param>
    /// <param name="references">Its numbers for the grants, in the order of the pages; at least 1.</param>
    /// <param name="readOnly">The pages are only read; grants for reading suffice.</param>
    /// <param name="pages">The pages, or null; then nothing is held.</param>
    /// <param name="failed">The index of the reference that could not be mapped, or -1.</param>
    /// <returns><see cref="GrantStatus.Okay"/>, or why the one at <paramref name="failed"/> could not be mapped.</returns>
    public static GrantStatus TryMap(
        IGrantPort port, DomId granter, ReadOnlySpan<GrantRef> references, bool readOnly, out GrantedPages? pages, out int failed)
    {
        ArgumentNullException.ThrowIfNull(port);
        ArgumentOutOfRangeException.ThrowIfZero(references.Length, nameof(references));
        GrantMapping[] mappings = new GrantMapping[references.Length];
        for (int i = 0; i < mappings.Length; i++)
        {
            GrantStatus status = port.Map(granter, references[i], readOnly, out mappings[i]);
            if (status == GrantStatus.Okay)
                continue;
            UnmapAll(port, mappings.AsSpan(0, i));
            (pages, failed) = (null, i);
            return status;
        }

        (pages, failed) = (new GrantedPages(port, mappings), -1);
        return GrantStatus.Okay;
    }

    /// <inheritdoc/>
    public Span<byte> Bytes(int page)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return _port.Bytes(_mappings[page]);
    }

    /// <inheritdoc/>
    public void MarkWritten(int page)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        _port.MarkWritten(_mappings[page]);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            UnmapAll(_port, _mappings);
    }

    private static void UnmapAll(IGrantPort port, ReadOnlySpan<GrantMapping> mappings)
    {
        foreach (GrantMapping mapping in mappings)
            port.Unmap(mapping);
    }
}
