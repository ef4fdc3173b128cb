using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Xen.Cpu;

/// <summary>What the host's processor adds to the portable instruction set: what it has, its kernel has enabled, and engines can have it execute.</summary>
internal static unsafe class HostFeatures
{
    private const int TrialSize = 4096;

    private const Leaf1Ecx UsedLeaf1 = Leaf1Ecx.Pclmulqdq | Leaf1Ecx.Movbe | Leaf1Ecx.Aes | Leaf1Ecx.Rdrand;
    private const Leaf7Ebx UsedLeaf7 = Leaf7Ebx.Bmi1 | Leaf7Ebx.Bmi2 | Leaf7Ebx.Adx | Leaf7Ebx.Rdseed | Leaf7Ebx.Sha;
    private const Leaf7Ecx UsedLeaf7Ecx = Leaf7Ecx.Gfni;

    /// <summary>What comes with the AVX state.</summary>
    private const Leaf1Ecx ExtendedLeaf1 = Leaf1Ecx.Avx | Leaf1Ecx.Fma | Leaf1Ecx.F16c;
    private const Leaf7Ebx ExtendedLeaf7 = Leaf7Ebx.Avx2;
    private const Leaf7Ecx ExtendedLeaf7Ecx = Leaf7Ecx.Vaes | Leaf7Ecx.Vpclmulqdq;

    /// <summary>xor ecx, ecx; xgetbv; ret: what the host's kernel saves.</summary>
    private static ReadOnlySpan<byte> ReadEnabledState => [0x31, 0xC9, 0x0F, 0x01, 0xD0, 0xC3];

    /// <summary>mov eax, 1; lzcnt eax, eax; ret. 31, but 0 (the result of BSR) where there is no LZCNT.</summary>
    private static ReadOnlySpan<byte> CountLeadingZeros => [0xB8, 1, 0, 0, 0, 0xF3, 0x0F, 0xBD, 0xC0, 0xC3];

    /// <summary>Adds what the host has.</summary>
    public static CpuFeatures AddTo(CpuFeatures portable)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64 || X86Base.CpuId(0, 0).Eax < 7)
            return portable;
        try
        {
            using var memory = new CodeMemory(TrialSize);
            return AddTo(portable, memory);
        }
        catch (InsufficientMemoryException)
        {
            // Without executable memory nothing can be handed to the processor.
            return portable;
        }
    }

    private static CpuFeatures AddTo(CpuFeatures portable, CodeMemory memory)
    {
        var leaf1 = (Leaf1Ecx)X86Base.CpuId(1, 0).Ecx;
        (_, int ebx, int ecx, _) = X86Base.CpuId(7, 0);

        // Hypervisors may hide ABM though it is there, and compilers that are told of AVX2 take it for granted.
        bool counts = Run(memory, CountLeadingZeros) == 31;
        CpuFeatures common = portable with
        {
            Leaf1Ecx = portable.Leaf1Ecx | (leaf1 & UsedLeaf1),
            Leaf7Ebx = portable.Leaf7Ebx | ((Leaf7Ebx)ebx & UsedLeaf7),
            Leaf7Ecx = portable.Leaf7Ecx | ((Leaf7Ecx)ecx & UsedLeaf7Ecx),
            Extended1Ecx = portable.Extended1Ecx | (counts ? Extended1Ecx.Abm : Extended1Ecx.None),
        };
        const Leaf1Ecx Needed = Leaf1Ecx.Osxsave | Leaf1Ecx.Avx;
        bool extended = (leaf1 & Needed) == Needed && ((XsaveComponents)(uint)Run(memory, ReadEnabledState) & XsaveComponents.All) == XsaveComponents.All;
        return !extended ? common : common with
        {
            Leaf1Ecx = common.Leaf1Ecx | Leaf1Ecx.Xsave | (leaf1 & ExtendedLeaf1),
            Leaf7Ebx = common.Leaf7Ebx | ((Leaf7Ebx)ebx & ExtendedLeaf7),
            Leaf7Ecx = common.Leaf7Ecx | ((Leaf7Ecx)ecx & ExtendedLeaf7Ecx),
            LeafDEax = LeafDEax.Xsaveopt,
        };
    }

    /// <summary>Executes a few instructions, and returns what they leave in rax.</summary>
    private static ulong Run(CodeMemory memory, ReadOnlySpan<byte> code)
    {
        // SAFETY: the code is one of this class's constants: it ends by a return and changes registers only that a call may change.
        code.CopyTo(new Span<byte>(memory.Writable, code.Length));
        return ((delegate* unmanaged<ulong>)memory.AddressOf(0))();
    }
}
