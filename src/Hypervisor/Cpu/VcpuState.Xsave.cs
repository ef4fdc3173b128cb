namespace Xen.Cpu;

/// <summary>The state components that XCR0 enables. <b>Source</b>: the x86 architecture, XSAVE feature set.</summary>
[Flags]
public enum XsaveComponents : ulong
{
    None = 0,
    X87 = 1 << 0,

    /// <summary>xmm0 to xmm15, and MXCSR.</summary>
    Sse = 1 << 1,

    /// <summary>The upper halves of ymm0 to ymm15.</summary>
    Avx = 1 << 2,

    /// <summary>All that there are here.</summary>
    All = X87 | Sse | Avx,
}

/// <summary>What the guest's kernel has enabled of extended state.</summary>
public sealed partial class VcpuState
{
    /// <summary>CR4.OSXSAVE: XSAVE, XRSTOR and XGETBV may be executed.</summary>
    public bool XsaveEnabled { get; set; }

    /// <summary>XCR0; x87 is always in it. Changed by <see cref="TrySetXcr0"/>.</summary>
    public XsaveComponents Xcr0 { get; private set; } = XsaveComponents.X87;

    /// <summary>Whether AVX instructions may be executed; else they raise #UD.</summary>
    public bool AvxEnabled => XsaveEnabled && (Xcr0 & (XsaveComponents.Sse | XsaveComponents.Avx)) == (XsaveComponents.Sse | XsaveComponents.Avx);

    /// <summary>Writes XCR0. False: a combination that no processor accepts, and nothing changed.</summary>
    /// <param name="value">x87, or x87 and SSE, or all three.</param>
    /// <param name="offered">What this guest's processor has.</param>
    public bool TrySetXcr0(ulong value, XsaveComponents offered)
    {
        var wanted = (XsaveComponents)value;
        bool lawful = (wanted & ~offered) == 0 && (wanted & XsaveComponents.X87) != 0
            && ((wanted & XsaveComponents.Avx) == 0 || (wanted & XsaveComponents.Sse) != 0);
        if (lawful)
            Xcr0 = wanted;
        return lawful;
    }
}
