using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of callback_op. <b>Source</b>: callback.h, CALLBACKOP_*.</summary>
public enum CallbackOperation : uint
{
    /// <summary>Argument <see cref="CallbackRegister"/>.</summary>
    Register = 0,

    /// <summary>Argument <see cref="CallbackUnregister"/>.</summary>
    Unregister = 1,
}

/// <summary>The entry points that a guest registers. <b>Source</b>: callback.h, CALLBACKTYPE_*.</summary>
public enum CallbackType : ushort
{
    Event = 0,

    /// <summary>Entered when guest state cannot be restored.</summary>
    Failsafe = 1,

    /// <summary>A SYSCALL by a 64-bit program.</summary>
    Syscall = 2,

    /// <summary>Not supported any more; use <see cref="Sysenter"/>.</summary>
    SysenterDeprecated = 3,
    Nmi = 4,
    Sysenter = 5,

    /// <summary>A SYSCALL by a 32-bit program.</summary>
    Syscall32 = 7,
}

/// <summary><b>Source</b>: callback.h, CALLBACKF_*.</summary>
[Flags]
public enum CallbackFlags : ushort
{
    None = 0,

    /// <summary>Mask events while the callback runs.</summary>
    MaskEvents = 1 << 0,
}

/// <summary><b>Source</b>: callback.h, struct callback_register.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CallbackRegister
{
    public CallbackType Type;
    public CallbackFlags Flags;

    /// <summary>Guest virtual address of the entry point.</summary>
    public ulong Address;
}

/// <summary><b>Source</b>: callback.h, struct callback_unregister.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CallbackUnregister
{
    public CallbackType Type;
    public ushort Unused;
}
