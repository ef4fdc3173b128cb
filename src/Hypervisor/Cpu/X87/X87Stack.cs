using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>
/// The x87's register stack and status word.
/// <code>
/// FSW  15  14  13..11  10   9   8    7    6    5   4   3   2   1   0
///     +---+---+-------+---+---+---+----+----+---+---+---+---+---+---+
///     | B | C3|  TOP  | C2| C1| C0| ES | SF | PE| UE| OE| ZE| DE| IE|
///     +---+---+-------+---+---+---+----+----+---+---+---+---+---+---+
/// </code>
/// ES and B say that an exception that is not masked waits for the next waiting instruction.
/// </summary>
internal static class X87Stack
{
    public const ushort StackFault = 0x40, ErrorSummary = 0x80, C0 = 0x100, C1 = 0x200, C2 = 0x400, C3 = 0x4000, Busy = 0x8000;

    private const int TopShift = 11, TopMask = 7 << TopShift, Exceptions = 0x3F;

    /// <summary>What masked invalid operations leave.</summary>
    public static readonly Float80 Indefinite = FloatValue.DefaultNaN.ToExtended();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Top(ref RegisterFile r) => (r.Fsw >> TopShift) & 7;

    /// <summary>ST(i).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref Float80 St(ref RegisterFile r, int i) => ref r.X87[(Top(ref r) + i) & 7];

    public static FloatValue Value(ref RegisterFile r, int i) => FloatValue.FromExtended(in St(ref r, i));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsEmpty(ref RegisterFile r, int i) => ((r.Ftw >> ((Top(ref r) + i) & 7)) & 1) == 0;

    /// <summary>Writes ST(i), which is not empty from then on.</summary>
    public static void Set(ref RegisterFile r, int i, Float80 value)
    {
        St(ref r, i) = value;
        r.Ftw |= (byte)(1 << ((Top(ref r) + i) & 7));
    }

    /// <summary>Marks ST(i) empty.</summary>
    public static void Free(ref RegisterFile r, int i) => r.Ftw &= (byte)~(1 << ((Top(ref r) + i) & 7));

    public static void MoveTop(ref RegisterFile r, int by) =>
        r.Fsw = (ushort)((r.Fsw & ~TopMask) | (((Top(ref r) + by) & 7) << TopShift));

    public static void Pop(ref RegisterFile r, int count = 1)
    {
        for (; count > 0; count--)
        {
            Free(ref r, 0);
            MoveTop(ref r, 1);
        }
    }

    /// <summary>Pushes a value. A full stack is an invalid operation; masked, it pushes the indefinite NaN.</summary>
    public static void Push(ref RegisterFile r, Float80 value)
    {
        if (IsEmpty(ref r, -1))
            PushAnyway(ref r, value);
        else if (Overflow(ref r))
            PushAnyway(ref r, Indefinite);
    }

    /// <summary>Pushes a value over whatever is there.</summary>
    public static void PushAnyway(ref RegisterFile r, Float80 value)
    {
        MoveTop(ref r, -1);
        Set(ref r, 0, value);
    }

    /// <summary>Notes a stack overflow. True: it is masked, go on with the indefinite NaN.</summary>
    public static bool Overflow(ref RegisterFile r) => Fault(ref r, C1);

    /// <summary>Notes a stack underflow. True: it is masked, go on with the indefinite NaN.</summary>
    public static bool Underflow(ref RegisterFile r) => Fault(ref r, 0);

    /// <summary>
    /// Takes an operation's exceptions into the status word, C1 too. False: one that is not masked came before the operation proper,
    /// so that nothing is to be written or popped.
    /// </summary>
    public static bool Finish(ref RegisterFile r, in FloatContext context)
    {
        FloatFlags flags = context.Flags;
        if (context.IsStopped)
            flags &= FloatFlags.BeforeOperation;
        bool up = context.RoundedUp && (flags & FloatFlags.Precision) != 0;
        r.Fsw = (ushort)((r.Fsw & ~C1) | (int)flags | (up ? C1 : 0));
        Summarise(ref r);
        return !context.IsStopped;
    }

    /// <summary>Clears C1: instructions that can neither fault nor round.</summary>
    public static void ClearC1(ref RegisterFile r) => r.Fsw = (ushort)(r.Fsw & ~C1);

    /// <summary>Sets the condition bits of an outcome: C3, C2, C0 as ZF, PF, CF would be.</summary>
    public static void SetCondition(ref RegisterFile r, FloatOrder order)
    {
        int bits = order switch
        {
            FloatOrder.Less => C0,
            FloatOrder.Equal => C3,
            FloatOrder.Greater => 0,
            _ => C0 | C2 | C3,
        };
        SetCondition(ref r, C0 | C2 | C3, bits);
    }

    /// <summary>Replaces some condition bits.</summary>
    public static void SetCondition(ref RegisterFile r, int mask, int bits) => r.Fsw = (ushort)((r.Fsw & ~mask) | bits);

    /// <summary>Computes ES and B from the exceptions and their masks.</summary>
    public static void Summarise(ref RegisterFile r)
    {
        bool pending = (r.Fsw & ~r.Fcw & Exceptions) != 0;
        r.Fsw = (ushort)((r.Fsw & ~(ErrorSummary | Busy)) | (pending ? ErrorSummary | Busy : 0));
    }

    private static bool Fault(ref RegisterFile r, int c1)
    {
        r.Fsw = (ushort)((r.Fsw & ~C1) | (int)FloatFlags.Invalid | StackFault | c1);
        Summarise(ref r);
        return (r.Fcw & (int)FloatFlags.Invalid) != 0;
    }
}
