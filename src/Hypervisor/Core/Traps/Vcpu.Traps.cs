namespace Xen.Core;

public sealed partial class Vcpu
{
    /// <summary>Trap table, callbacks, kernel stack, privileged registers.</summary>
    public VcpuTraps Traps { get; } = new();
}
