using System.Runtime.CompilerServices;

namespace Xen.Abi;

// The C arrays inside messages. Each is exactly its elements, without padding, and converts to a span.

/// <summary>C: <c>uint8_t[7]</c>.</summary>
[InlineArray(7)]
public struct ByteArray7
{
    private byte _element0;
}

/// <summary>C: <c>char[16]</c> or <c>uint8_t[16]</c>, such as xen_domain_handle_t.</summary>
[InlineArray(16)]
public struct ByteArray16
{
    private byte _element0;
}

/// <summary>C: <c>char[32]</c>.</summary>
[InlineArray(32)]
public struct ByteArray32
{
    private byte _element0;
}

/// <summary>C: <c>char[64]</c>.</summary>
[InlineArray(64)]
public struct ByteArray64
{
    private byte _element0;
}

/// <summary>C: <c>char[512]</c>, the FXSAVE image.</summary>
[InlineArray(512)]
public struct ByteArray512
{
    private byte _element0;
}

/// <summary>C: <c>char[1024]</c>.</summary>
[InlineArray(1024)]
public struct ByteArray1024
{
    private byte _element0;
}

/// <summary>C: <c>uint32_t[8]</c>.</summary>
[InlineArray(8)]
public struct UInt32Array8
{
    private uint _element0;
}

/// <summary>C: <c>uint64_t[4]</c>.</summary>
[InlineArray(4)]
public struct UInt64Array4
{
    private ulong _element0;
}

/// <summary>C: <c>unsigned long[6]</c>, the arguments of a hypercall.</summary>
[InlineArray(6)]
public struct UInt64Array6
{
    private ulong _element0;
}

/// <summary>C: <c>unsigned long[8]</c>, control and debug registers.</summary>
[InlineArray(8)]
public struct UInt64Array8
{
    private ulong _element0;
}

/// <summary>C: <c>unsigned long[16]</c>, the frames of a GDT.</summary>
[InlineArray(16)]
public struct UInt64Array16
{
    private ulong _element0;
}

/// <summary>C: <c>struct trap_info[256]</c>, a virtual IDT.</summary>
[InlineArray(256)]
public struct TrapInfoArray256
{
    private TrapInfo _element0;
}
