namespace Xen.Core;

public sealed partial class Vcpu
{
    /// <summary>A multicall is being worked on: another one inside it is refused. Only on the vCPU's thread.</summary>
    internal bool InMulticall { get; set; }
}
