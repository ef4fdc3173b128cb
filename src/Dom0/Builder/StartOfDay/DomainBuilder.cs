using System.Buffers.Binary;
using System.Text;
using Xen.Abi;
using Xen.Builder.Images;

namespace Xen.Builder.StartOfDay;

/// <summary>
/// Builds a PV domain's initial memory: kernel, ramdisk, frame list, start_info, rings, page tables, stack. It writes
/// plain memory of a domain that does not run; whoever starts the domain pins the page tables, which checks them.
/// </summary>
public static class DomainBuilder
{
    /// <summary>Writes the memory and says how the first vCPU starts.</summary>
    /// <exception cref="ImageException">Too little memory for the kernel and ramdisk, or too long a command line: nothing was
    /// written then. Or a part of the kernel does not unpack.</exception>
    public static StartOfDayState Build(IDomainMemory memory, KernelImage kernel, StartOfDayParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(parameters);
        CheckCommandLine(kernel, parameters.CommandLine);
        var layout = StartOfDayLayout.Plan(kernel, memory.PageCount, (ulong)parameters.Ramdisk.Length);

        ImageWriter.WriteKernel(memory, kernel);
        if (kernel.HypercallPage is { } hypercallPage)
        {
            WriteHypercallPage(memory, new Pfn((hypercallPage - kernel.VirtBase) >> Page.Shift));
        }

        ImageWriter.WriteBytes(memory, layout.Ramdisk.First << Page.Shift, parameters.Ramdisk.Span);
        WriteP2m(memory, layout);
        StartInfoPage.Write(memory, layout, parameters);
        var tables = BootstrapTables.Write(memory, layout);
        return new StartOfDayState
        {
            InstructionPointer = kernel.Entry,
            StackPointer = layout.AddressOf(layout.Stack + 1),
            StartInfoAddress = layout.AddressOf(layout.StartInfo),
            PageTableRoot = tables[0].Pfn,
            PageTables = tables,
            NrPtFrames = (int)layout.PageTables.Count,
            StartInfo = new Pfn(layout.StartInfo),
            XenStore = new Pfn(layout.XenStore),
            Console = new Pfn(layout.Console),
            HypercallPageAddress = kernel.HypercallPage,
            P2mAddress = layout.P2mAddress,
            P2m = layout.P2m.Pfn,
            VirtBase = layout.VirtBase,
            VirtEnd = unchecked(layout.VirtLast + 1),
        };
    }

    /// <summary>The least memory that a kernel and a ramdisk start with. <b>Units</b>: MiB.</summary>
    public static ulong LeastMebibytes(KernelImage kernel, long ramdiskBytes)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentOutOfRangeException.ThrowIfNegative(ramdiskBytes);
        return StartOfDayLayout.LeastMebibytes(kernel, (ulong)ramdiskBytes);
    }

    private static void CheckCommandLine(KernelImage kernel, string commandLine)
    {
        var length = Encoding.UTF8.GetByteCount(commandLine);
        if (length > StartOfDayParameters.MaxCommandLine)
        {
            throw new ImageException(
                kernel.Name,
                $"the kernel's command line has {length} bytes, and Xen passes at most {StartOfDayParameters.MaxCommandLine}",
                "shorten extra= or root=");
        }

        if (commandLine.Contains('\0', StringComparison.Ordinal))
        {
            throw new ImageException(kernel.Name, "the kernel's command line has a NUL character in it", "take it out of extra= or root=");
        }
    }

    private static void WriteHypercallPage(IDomainMemory memory, Pfn pfn)
    {
        Span<byte> page = stackalloc byte[Page.Size];
        HypercallPage.Fill(page);
        memory.Write(pfn, 0, page);
    }

    /// <summary>The machine frame of every page, in order; the list's last page is filled up with invalid ones.</summary>
    private static void WriteP2m(IDomainMemory memory, StartOfDayLayout layout)
    {
        Span<byte> page = stackalloc byte[Page.Size];
        ulong pfn = 0;
        for (ulong i = 0; i < layout.P2m.Count; i++)
        {
            for (var entry = 0; entry < Page.EntriesPerTable; entry++, pfn++)
            {
                var frame = pfn < layout.PageCount ? memory.FrameOf(new Pfn(pfn)) : Mfn.Invalid;
                BinaryPrimitives.WriteUInt64LittleEndian(page[(entry * sizeof(ulong))..], frame.Value);
            }

            memory.Write(new Pfn(layout.P2m.First + i), 0, page);
        }
    }
}
