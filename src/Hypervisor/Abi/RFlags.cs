namespace Xen.Abi;

/// <summary>Bits of rflags, as the x86 architecture defines them.</summary>
[Flags]
public enum RFlags : ulong
{
    None = 0,

    /// <summary>CF.</summary>
    Carry = 1 << 0,

    /// <summary>Always one.</summary>
    Fixed = 1 << 1,

    /// <summary>PF.</summary>
    Parity = 1 << 2,

    /// <summary>AF.</summary>
    Adjust = 1 << 4,

    /// <summary>ZF.</summary>
    Zero = 1 << 6,

    /// <summary>SF.</summary>
    Sign = 1 << 7,

    /// <summary>TF: trap after each instruction.</summary>
    Trap = 1 << 8,

    /// <summary>IF: interrupts are enabled.</summary>
    Interrupt = 1 << 9,

    /// <summary>DF: string instructions go downwards.</summary>
    Direction = 1 << 10,

    /// <summary>OF.</summary>
    Overflow = 1 << 11,

    /// <summary>Both bits of the I/O privilege level.</summary>
    IoplMask = 3 << 12,

    /// <summary>NT.</summary>
    NestedTask = 1 << 14,

    /// <summary>RF: no debug exception on the next instruction.</summary>
    Resume = 1 << 16,

    /// <summary>VM.</summary>
    Virtual8086 = 1 << 17,

    /// <summary>AC.</summary>
    AlignmentCheck = 1 << 18,

    /// <summary>VIF.</summary>
    VirtualInterrupt = 1 << 19,

    /// <summary>VIP.</summary>
    VirtualInterruptPending = 1 << 20,

    /// <summary>ID: CPUID is there if it can be changed.</summary>
    Identification = 1 << 21,

    /// <summary>The six flags that arithmetic sets.</summary>
    ArithmeticMask = Carry | Parity | Adjust | Zero | Sign | Overflow,
}
