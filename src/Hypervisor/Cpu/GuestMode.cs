namespace Xen.Cpu;

/// <summary>Which half of the guest runs. Both run unprivileged (ring 3); what differs is the root page table and who gets its faults.</summary>
public enum GuestMode : byte
{
    /// <summary>The guest kernel, on the kernel root.</summary>
    Kernel,

    /// <summary>A user program of the guest, on the user root.</summary>
    User,
}
