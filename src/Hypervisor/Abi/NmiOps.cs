using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of nmi_op. <b>Source</b>: nmi.h, XENNMI_*.</summary>
public enum NmiOperation : uint
{
    /// <summary>Argument <see cref="NmiCallback"/>.</summary>
    RegisterCallback = 0,
    UnregisterCallback = 1,
}

/// <summary><b>Source</b>: nmi.h, struct xennmi_callback.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NmiCallback
{
    /// <summary>Guest virtual address of the handler.</summary>
    public ulong HandlerAddress;

    public ulong Pad;
}
