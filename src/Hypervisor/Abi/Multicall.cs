using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>One call of a multicall batch. <b>Source</b>: xen.h, struct multicall_entry.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MulticallEntry
{
    /// <summary>The <see cref="HypercallNumber"/>.</summary>
    public ulong Op;

    /// <summary>Out: what the call returned in rax.</summary>
    public ulong Result;

    public UInt64Array6 Args;
}
