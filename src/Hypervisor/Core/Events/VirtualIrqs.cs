using Xen.Abi;

namespace Xen.Core;

/// <summary>The rules of virtual interrupt lines. <b>Source</b>: xen.h, VIRQ_.</summary>
internal static class VirtualIrqs
{
    /// <summary>Whether there is one line per vCPU; a line that is not is one per domain, bound on vCPU 0 first.</summary>
    public static bool IsPerVcpu(VirtualIrq virq) =>
        virq is VirtualIrq.Timer or VirtualIrq.Debug or VirtualIrq.Xenoprof or VirtualIrq.Xenpmu;
}
