using Iced.Intel;

namespace Xen.Cpu;

/// <summary>
/// Finds accesses on one base register, a constant apart, that share one check: pushes and pops, fields of a structure. There is one
/// register for a group's delta, so one group at a time.
/// </summary>
internal static class AccessGroups
{
    /// <summary>Longest range of a group. The longer, the likelier that it leaves its page.</summary>
    private const int MaxLength = 256;

    /// <summary>Bytes of an access that must be aligned.</summary>
    private const int Vector = 16;

    /// <summary>Distances beyond this are not followed, so that sums of them fit.</summary>
    private const int MaxDistance = 1 << 24;

    /// <summary>Sets <see cref="MemoryUse.IsGrouped"/> and <see cref="MemoryUse.Group"/>.</summary>
    public static void Find(Span<GuestInstruction> instructions)
    {
        var active = new Candidate(-1);
        int left = 0;
        for (int i = 0; i < instructions.Length; i++)
        {
            // The operand's access comes first, then the stack's.
            Visit(instructions, i, stack: false, ref active, ref left);
            Visit(instructions, i, stack: true, ref active, ref left);
            active.Advance(ref instructions[i]);
            if (!active.IsKnown)
                left = 0;
        }
    }

    private static void Visit(Span<GuestInstruction> instructions, int at, bool stack, ref Candidate active, ref int left)
    {
        ref MemoryUse use = ref stack ? ref instructions[at].Stack : ref instructions[at].Operand;
        if (!MayShare(in use))
            return;
        if (active.Covers(in use))
        {
            use.IsGrouped = true;
            left--;
            return;
        }

        Candidate fresh = Collect(instructions, at, stack, out int uses);
        if (uses < 2 || left >= uses)
            return;
        use.Group = fresh.Range;
        use.IsGrouped = true;
        active = fresh;
        left = uses - 1;
    }

    private static bool MayShare(in MemoryUse use) => use.Exists && use.Base >= 0 && !use.IsAtomic && use.Alignment <= Vector && Math.Abs((long)use.Displacement) < MaxDistance;

    /// <summary>The accesses from here on that a group beginning here would cover.</summary>
    private static Candidate Collect(Span<GuestInstruction> instructions, int at, bool stack, out int uses)
    {
        ref MemoryUse first = ref stack ? ref instructions[at].Stack : ref instructions[at].Operand;
        var group = new Candidate(first.Base);
        group.Range = new AccessRange(first.Displacement, first.Displacement + first.Size, first.Writes, first.Alignment > 1);
        uses = 1;
        var walker = group;
        for (int i = at; i < instructions.Length && walker.IsKnown; i++)
        {
            if (i > at)
                TryExtend(in instructions[i].Operand, ref group, in walker, ref uses);
            if (i > at || !stack)
                TryExtend(in instructions[i].Stack, ref group, in walker, ref uses);
            walker.Advance(ref instructions[i]);
        }

        return group;
    }

    private static void TryExtend(in MemoryUse use, ref Candidate group, in Candidate walker, ref int uses)
    {
        if (!MayShare(in use) || use.Base != group.Base)
            return;
        int low = Math.Min(group.Range.Low, walker.Moved + use.Displacement);
        int high = Math.Max(group.Range.High, walker.Moved + use.Displacement + use.Size);
        bool aligned = use.Alignment > 1;
        if (group.Range.IsAligned)
        {
            // What must be aligned is so together or not at all; the range begins at a multiple of the alignment.
            if (aligned && ((walker.Moved + use.Displacement - group.Range.Low) & (Vector - 1)) != 0)
                return;
            low = group.Range.Low - ((group.Range.Low - low + Vector - 1) & -Vector);
        }
        else if (aligned)
        {
            int start = walker.Moved + use.Displacement;
            low = start - ((start - low + Vector - 1) & -Vector);
        }

        if (high - low > MaxLength)
            return;
        group.Range = new AccessRange(low, high, group.Range.Writes | use.Writes, group.Range.IsAligned | aligned);
        uses++;
    }

    /// <summary>A base register on its way through the block.</summary>
    private struct Candidate(int register)
    {
        /// <summary>The register, or -1 when its value is no longer a known distance from what it was.</summary>
        public int Base { get; private set; } = register;

        /// <summary>How far the register has moved since the group's start.</summary>
        public int Moved { get; private set; }

        public AccessRange Range { get; set; }

        public readonly bool IsKnown => Base >= 0;

        public readonly bool Covers(in MemoryUse use) =>
            IsKnown && use.Base == Base && (Range.Writes || !use.Writes)
            && (use.Alignment == 1 || (Range.IsAligned && ((Moved + use.Displacement - Range.Low) & (Vector - 1)) == 0))
            && Moved + use.Displacement >= Range.Low && Moved + use.Displacement + use.Size <= Range.High;

        /// <summary>Follows the register over an instruction.</summary>
        public void Advance(ref GuestInstruction instruction)
        {
            if (!IsKnown)
                return;
            if (BaseMotion.TryMove(ref instruction, Base, out int distance) && Math.Abs((long)Moved + distance) < MaxDistance)
                Moved += distance;
            else
                Base = -1;
        }
    }
}
