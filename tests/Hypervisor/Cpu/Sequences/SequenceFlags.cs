using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>Which flags are undefined where in a program: what two engines need not agree about, and no instruction of a program may read.</summary>
internal static class SequenceFlags
{
    public const RflagsBits Arithmetic = RflagsBits.CF | RflagsBits.PF | RflagsBits.AF | RflagsBits.ZF | RflagsBits.SF | RflagsBits.OF;

    /// <summary>Flags that may be undefined before each instruction, over all ways to it.</summary>
    public static RflagsBits[] Find(List<SequenceInstruction> flat)
    {
        var before = new RflagsBits[flat.Count];
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int i = 0; i < flat.Count; i++)
            {
                Instruction code = flat[i].Code;
                RflagsBits after = After(before[i], in code);
                foreach (int next in Successors(flat, i))
                {
                    changed |= (before[next] | after) != before[next];
                    before[next] |= after;
                }
            }
        }

        return before;
    }

    /// <summary>The first instruction that may read an undefined flag, or -1.</summary>
    public static int FirstReader(List<SequenceInstruction> flat)
    {
        RflagsBits[] before = Find(flat);
        for (int i = 0; i < flat.Count; i++)
        {
            if ((flat[i].Code.RflagsRead & before[i] & Arithmetic) != 0)
                return i;
        }

        return -1;
    }

    private static RflagsBits After(RflagsBits before, in Instruction code)
    {
        RflagsBits undefined = code.RflagsUndefined & Arithmetic;

        // Only the count 1 defines a rotation's OF; all the way round is no other case.
        if (code.Mnemonic is Mnemonic.Rcl or Mnemonic.Rcr && (code.Op1Kind == OpKind.Register || code.GetImmediate(1) != 1))
            undefined |= RflagsBits.OF;
        return IsCertain(in code) ? (before & ~code.RflagsModified) | undefined : before | undefined;
    }

    /// <summary>Whether an instruction changes its flags whatever its operands.</summary>
    private static bool IsCertain(in Instruction code)
    {
        if (code.HasRepPrefix || code.HasRepnePrefix)
            return false;
        return code.Mnemonic is not (Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd)
            || (code.GetOpKind(code.OpCount - 1) != OpKind.Register && (code.GetImmediate(code.OpCount - 1) & 0x1F) != 0);
    }

    private static IEnumerable<int> Successors(List<SequenceInstruction> flat, int at)
    {
        SequenceInstruction instruction = flat[at];
        bool branches = instruction.Code.FlowControl is not (FlowControl.Next or FlowControl.Exception or FlowControl.Interrupt) && instruction.Code.Mnemonic != Mnemonic.Syscall;
        if (branches && instruction.Target is not null)
            yield return instruction.TargetIndex;
        if (instruction.Code.FlowControl == FlowControl.Return && instruction.Target is null)
        {
            for (int i = 0; i < flat.Count - 1; i++)
            {
                if (IsCall(flat[i].Code.FlowControl) && flat[i].Target is not null)
                    yield return i + 1;
            }
        }

        bool goesOn = instruction.Code.FlowControl is FlowControl.Next or FlowControl.ConditionalBranch || IsCall(instruction.Code.FlowControl);
        if (goesOn && at + 1 < flat.Count)
            yield return at + 1;
    }

    private static bool IsCall(FlowControl flow) => flow is FlowControl.Call or FlowControl.IndirectCall;
}
