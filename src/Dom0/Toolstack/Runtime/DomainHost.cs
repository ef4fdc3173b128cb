using Xen.Core;

namespace Xen.Toolstack;

/// <summary>What a machine's domains live on.</summary>
/// <param name="Control">The hypervisor.</param>
/// <param name="Dom0">xenstore, and what backends need.</param>
/// <param name="Names">The names that are taken.</param>
/// <param name="Claims">The memory that is promised.</param>
/// <param name="Options">What the machine was made for.</param>
internal sealed record DomainHost(DomainControl Control, Dom0Services Dom0, DomainNames Names, MemoryClaims Claims, MachineOptions Options)
{
    public Machine Machine => Control.Machine;

    /// <summary>What is written to disks that are copied on write.</summary>
    public DiskOverlays Overlays { get; } = new(Options.OverlayFolder);
}
