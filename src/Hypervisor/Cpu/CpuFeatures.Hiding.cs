namespace Xen.Cpu;

/// <summary>Sets of features: union, difference, and what follows from a missing one.</summary>
public sealed partial record CpuFeatures
{
    /// <summary>No feature.</summary>
    public static CpuFeatures None { get; } = new(0, 0, 0, 0, 0, 0, 0);

    /// <summary>Which features make no sense without another.</summary>
    private static readonly (CpuFeatures Needed, CpuFeatures Dependents)[] Dependencies =
    [
        (None with { Leaf1Edx = Leaf1Edx.Fxsr }, None with { Leaf1Edx = Leaf1Edx.Sse }),
        (None with { Leaf1Edx = Leaf1Edx.Sse }, None with { Leaf1Edx = Leaf1Edx.Sse2 }),
        (None with { Leaf1Edx = Leaf1Edx.Sse2 }, new(0, Leaf1Ecx.Sse3 | Leaf1Ecx.Aes | Leaf1Ecx.Pclmulqdq, Leaf7Ebx.Sha, Leaf7Ecx.Gfni, 0, 0, 0)),
        (None with { Leaf1Ecx = Leaf1Ecx.Sse3 }, None with { Leaf1Ecx = Leaf1Ecx.Ssse3 }),
        (None with { Leaf1Ecx = Leaf1Ecx.Ssse3 }, None with { Leaf1Ecx = Leaf1Ecx.Sse41 }),
        (None with { Leaf1Ecx = Leaf1Ecx.Sse41 }, None with { Leaf1Ecx = Leaf1Ecx.Sse42 }),
        (None with { Leaf1Ecx = Leaf1Ecx.Sse42 }, None with { Leaf1Ecx = Leaf1Ecx.Avx }),
        (None with { Leaf1Ecx = Leaf1Ecx.Xsave }, None with { Leaf1Ecx = Leaf1Ecx.Avx, LeafDEax = LeafDEax.Xsaveopt }),
        (None with { Leaf1Ecx = Leaf1Ecx.Avx }, new(0, Leaf1Ecx.Fma | Leaf1Ecx.F16c, Leaf7Ebx.Avx2, 0, 0, 0, 0)),
        (None with { Leaf7Ebx = Leaf7Ebx.Avx2 }, None with { Leaf7Ecx = Leaf7Ecx.Vaes | Leaf7Ecx.Vpclmulqdq }),
        (None with { Leaf1Ecx = Leaf1Ecx.Aes }, None with { Leaf7Ecx = Leaf7Ecx.Vaes }),
        (None with { Leaf1Ecx = Leaf1Ecx.Pclmulqdq }, None with { Leaf7Ecx = Leaf7Ecx.Vpclmulqdq }),
    ];

    /// <summary>These features and others.</summary>
    public CpuFeatures Union(CpuFeatures other) => new(
        Leaf1Edx | other.Leaf1Edx, Leaf1Ecx | other.Leaf1Ecx, Leaf7Ebx | other.Leaf7Ebx, Leaf7Ecx | other.Leaf7Ecx,
        LeafDEax | other.LeafDEax, Extended1Edx | other.Extended1Edx, Extended1Ecx | other.Extended1Ecx);

    /// <summary>Whether all of some features are there.</summary>
    public bool Contains(CpuFeatures others) => Union(others) == this;

    /// <summary>These features without some, and without those that make no sense then.</summary>
    public CpuFeatures Hide(CpuFeatures hidden)
    {
        CpuFeatures left = Remove(hidden);
        foreach ((CpuFeatures needed, CpuFeatures dependents) in Dependencies)
        {
            if (!left.Contains(needed))
                left = left.Remove(dependents);
        }

        return left;
    }

    /// <summary>These features and some bits of a word.</summary>
    public CpuFeatures With(CpuFeatureWord word, uint bits) => word switch
    {
        CpuFeatureWord.Leaf1Edx => this with { Leaf1Edx = Leaf1Edx | (Leaf1Edx)bits },
        CpuFeatureWord.Leaf1Ecx => this with { Leaf1Ecx = Leaf1Ecx | (Leaf1Ecx)bits },
        CpuFeatureWord.Leaf7Ebx => this with { Leaf7Ebx = Leaf7Ebx | (Leaf7Ebx)bits },
        CpuFeatureWord.Leaf7Ecx => this with { Leaf7Ecx = Leaf7Ecx | (Leaf7Ecx)bits },
        CpuFeatureWord.LeafDEax => this with { LeafDEax = LeafDEax | (LeafDEax)bits },
        CpuFeatureWord.Extended1Edx => this with { Extended1Edx = Extended1Edx | (Extended1Edx)bits },
        _ => this with { Extended1Ecx = Extended1Ecx | (Extended1Ecx)bits },
    };

    private CpuFeatures Remove(CpuFeatures others) => new(
        Leaf1Edx & ~others.Leaf1Edx, Leaf1Ecx & ~others.Leaf1Ecx, Leaf7Ebx & ~others.Leaf7Ebx, Leaf7Ecx & ~others.Leaf7Ecx,
        LeafDEax & ~others.LeafDEax, Extended1Edx & ~others.Extended1Edx, Extended1Ecx & ~others.Extended1Ecx);
}
