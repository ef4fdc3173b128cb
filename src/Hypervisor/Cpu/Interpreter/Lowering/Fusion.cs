using Iced.Intel;

namespace Xen.Cpu;

/// <summary>
/// Makes one op of a comparison (or another operation that sets flags) and the conditional jump behind it. The operation keeps its place and
/// gets a handler that jumps too; the jump's own op stays behind it and holds the addresses.
/// </summary>
/// <param name="condition">The jump's condition.</param>
/// <returns>The handler of both.</returns>
internal delegate nint Fusion(ConditionCode condition);

/// <summary>The fusions of the operations that compilers put before a jump, by operand size.</summary>
internal static class Fusions<TOp, TSource>
    where TOp : struct, IBinary
    where TSource : struct, ISource
{
    private static readonly Fusion Byte = Conditional.Pick<RegisterJump<byte>>;
    private static readonly Fusion Word = Conditional.Pick<RegisterJump<ushort>>;
    private static readonly Fusion Dword = Conditional.Pick<RegisterJump<uint>>;
    private static readonly Fusion Qword = Conditional.Pick<RegisterJump<ulong>>;

    /// <summary>The fusion of the operation on a register with a jump.</summary>
    public static Fusion Of(int size) => size switch
    {
        1 => Byte,
        2 => Word,
        4 => Dword,
        _ => Qword,
    };

    private readonly struct RegisterJump<T> : IConditioned
        where T : unmanaged
    {
        public static nint Of<TIf>()
            where TIf : struct, ICondition => Handler.Of<BinaryAndJump<TOp, T, TSource, TIf>>();
    }
}

/// <summary>The fusions of comparisons of memory with a register or immediate.</summary>
internal static class MemoryFusions<TOp, TSource>
    where TOp : struct, IBinary
    where TSource : struct, ISource
{
    private static readonly Fusion Byte = Conditional.Pick<MemoryJump<byte>>;
    private static readonly Fusion Word = Conditional.Pick<MemoryJump<ushort>>;
    private static readonly Fusion Dword = Conditional.Pick<MemoryJump<uint>>;
    private static readonly Fusion Qword = Conditional.Pick<MemoryJump<ulong>>;

    /// <summary>The fusion of a comparison that only reads memory with a jump.</summary>
    public static Fusion Of(int size) => size switch
    {
        1 => Byte,
        2 => Word,
        4 => Dword,
        _ => Qword,
    };

    private readonly struct MemoryJump<T> : IConditioned
        where T : unmanaged
    {
        public static nint Of<TIf>()
            where TIf : struct, ICondition => Handler.Of<CompareMemoryAndJump<TOp, T, TSource, TIf>>();
    }
}

/// <summary>The fusions of INC and DEC of a register.</summary>
internal static class StepFusions<TOp>
    where TOp : struct, IUnary
{
    private static readonly Fusion Dword = Conditional.Pick<StepJump<uint>>;
    private static readonly Fusion Qword = Conditional.Pick<StepJump<ulong>>;

    /// <summary>The fusion with a jump; none for the small sizes, which nobody counts in.</summary>
    public static Fusion? Of(int size) => size switch
    {
        4 => Dword,
        8 => Qword,
        _ => null,
    };

    private readonly struct StepJump<T> : IConditioned
        where T : unmanaged
    {
        public static nint Of<TIf>()
            where TIf : struct, ICondition => Handler.Of<UnaryAndJump<TOp, T, TIf>>();
    }
}
