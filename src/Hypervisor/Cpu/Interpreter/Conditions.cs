using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>One of the sixteen conditions of Jcc, SETcc and CMOVcc.</summary>
internal interface ICondition
{
    static abstract bool Test(in LazyFlags flags);
}

internal readonly struct IfO : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.OF;
}

internal readonly struct IfNo : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => !flags.OF;
}

internal readonly struct IfB : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.CF;
}

internal readonly struct IfAe : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => !flags.CF;
}

internal readonly struct IfE : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.ZF;
}

internal readonly struct IfNe : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => !flags.ZF;
}

internal readonly struct IfBe : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.CF | flags.ZF;
}

internal readonly struct IfA : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => !(flags.CF | flags.ZF);
}

internal readonly struct IfS : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.SF;
}

internal readonly struct IfNs : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => !flags.SF;
}

internal readonly struct IfP : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.PF;
}

internal readonly struct IfNp : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => !flags.PF;
}

internal readonly struct IfL : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.SF != flags.OF;
}

internal readonly struct IfGe : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.SF == flags.OF;
}

internal readonly struct IfLe : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => flags.ZF | (flags.SF != flags.OF);
}

internal readonly struct IfG : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Test(in LazyFlags flags) => !(flags.ZF | (flags.SF != flags.OF));
}
