using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Xen.Cpu;

/// <summary>RCPPS: reciprocals as the host's processor approximates them; elsewhere correctly rounded ones, which are within its error bound.</summary>
internal readonly struct ApproximateReciprocal : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        (Sse.IsSupported ? Sse.Reciprocal(b.AsSingle()) : Vector128<float>.One / b.AsSingle()).AsByte();
}

/// <summary>RSQRTPS.</summary>
internal readonly struct ApproximateRootReciprocal : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        (Sse.IsSupported ? Sse.ReciprocalSqrt(b.AsSingle()) : Vector128<float>.One / Vector128.Sqrt(b.AsSingle())).AsByte();
}

/// <summary>The scalar form of a packed operation.</summary>
internal readonly struct LowestOnly<TOp, T> : IPacked
    where TOp : struct, IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => MergeLow<T>.Apply(a, TOp.Apply(a, b));
}
