using System.Buffers;
using Xen.Builder.Images;

namespace Xen.Toolstack;

/// <summary>The kernel and the ramdisk of a domain, which a thread of their own reads while the domain is made.</summary>
internal sealed class DomainImages : IDisposable
{
    private readonly Task<(KernelImage Kernel, IMemoryOwner<byte>? Ramdisk)> _reading;

    /// <summary>Begins to read.</summary>
    public DomainImages(DomainConfig config) =>
        _reading = Task.Factory.StartNew(() => Read(config), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>The kernel, once all has been read.</summary>
    /// <exception cref="ImageException">It or the ramdisk cannot be used.</exception>
    public KernelImage Kernel => _reading.GetAwaiter().GetResult().Kernel;

    /// <summary>The ramdisk, once all has been read; empty if there is none.</summary>
    /// <exception cref="ImageException">It or the kernel cannot be used.</exception>
    public ReadOnlyMemory<byte> Ramdisk => _reading.GetAwaiter().GetResult().Ramdisk?.Memory ?? default;

    /// <summary>Waits until all has been read, and gives it back.</summary>
    public void Dispose()
    {
        try
        {
            (KernelImage kernel, IMemoryOwner<byte>? ramdisk) = _reading.GetAwaiter().GetResult();
            kernel.Dispose();
            ramdisk?.Dispose();
        }
        catch (ImageException)
        {
            // Then nothing is left of it. Who asked for the images was told.
        }
    }

    private static (KernelImage Kernel, IMemoryOwner<byte>? Ramdisk) Read(DomainConfig config)
    {
        KernelImage kernel = KernelImage.Load(config.Kernel);
        try
        {
            return (kernel, config.Ramdisk is null ? null : ImageFile.Read(config.Ramdisk));
        }
        catch
        {
            kernel.Dispose();
            throw;
        }
    }
}
