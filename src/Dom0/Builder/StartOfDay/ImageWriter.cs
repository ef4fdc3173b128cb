using System.Runtime.ExceptionServices;
using Xen.Abi;
using Xen.Builder.Images;

namespace Xen.Builder.StartOfDay;

/// <summary>Writes kernels and ramdisks into a domain's memory.</summary>
internal static class ImageWriter
{
    /// <summary>
    /// Writes a kernel's segments, on as many threads as there are processors: each takes one part of the image after the other, unpacks it,
    /// writes what segments have of it and forgets it, so that the memory that the next needs is already the process's.
    /// </summary>
    /// <exception cref="ImageException">A part does not unpack, whether a segment needs it or not. Others may have been written.</exception>
    public static void WriteKernel(IDomainMemory memory, KernelImage kernel)
    {
        // Those that reading the headers has left come first: theirs is the memory that all use.
        var content = kernel.Content;
        int[] parts = [.. Enumerable.Range(0, content.PartCount).OrderBy(part => !content.HasPart(part))];
        var next = -1;
        void WriteParts()
        {
            for (int i; (i = Interlocked.Increment(ref next)) < parts.Length;)
            {
                WritePart(memory, kernel, parts[i]);
            }
        }

        var threads = Math.Min(Environment.ProcessorCount, parts.Length);
        if (threads == 1)
        {
            WriteParts();
            return;
        }

        try
        {
            Parallel.For(0, threads, _ => WriteParts());
        }
        catch (AggregateException e) when (e.InnerException is { } first)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }

    /// <summary>
    /// Writes bytes from a pseudo-physical address on. Pages of zeros are left as they are, so that they cost the host
    /// nothing.
    /// </summary>
    public static void WriteBytes(IDomainMemory memory, ulong address, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var offset = (int)(address & Page.OffsetMask);
            var piece = bytes[..Math.Min(bytes.Length, Page.Size - offset)];
            if (piece.ContainsAnyExcept((byte)0))
            {
                memory.Write(new Pfn(address >> Page.Shift), offset, piece);
            }

            bytes = bytes[piece.Length..];
            address += (ulong)piece.Length;
        }
    }

    private static void WritePart(IDomainMemory memory, KernelImage kernel, int part)
    {
        var content = kernel.Content;
        var (offset, length) = content.PartRange(part);
        content.NeedPart(part);
        foreach (var segment in kernel.Segments)
        {
            var start = Math.Max(offset, segment.FileOffset);
            var end = Math.Min(offset + length, segment.FileOffset + segment.FileSize);
            if (start < end)
            {
                WriteBytes(memory, segment.PhysicalAddress + (ulong)(start - segment.FileOffset), content.Bytes.Span[start..end]);
            }
        }

        content.ForgetPart(part);
    }
}
