using System.Globalization;
using System.Text;
using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>A random program: units in order, then bytes. Between main part and functions stands a SYSCALL, by which it ends.</summary>
/// <remarks>A unit is what stays together when a program is made smaller: a branch and what makes it end, a string instruction and its count.</remarks>
internal sealed class SequenceProgram
{
    public required ulong Seed { get; init; }

    public List<SequenceUnit> Units { get; init; } = [];

    /// <summary>Where the code begins.</summary>
    public required ulong Address { get; init; }

    /// <summary>The first of the pages of memory that hold the code: those at its address, or others that are mapped there.</summary>
    public required int CodePage { get; init; }

    /// <summary>Whether the program writes its own code.</summary>
    public bool WritesItself { get; set; }

    /// <summary>The registers that point into the data.</summary>
    public required int[] Pointers { get; init; }

    /// <summary>The registers that hold small numbers.</summary>
    public required int[] Small { get; init; }

    /// <summary>Why the program could not be encoded.</summary>
    public string? EncoderError { get; private set; }

    public int InstructionCount => Units.Sum(static unit => unit.Instructions.Count);

    /// <summary>Programs that have a unit or an instruction less, the largest parts first. Branches to what is missing go behind it.</summary>
    public IEnumerable<SequenceProgram> Smaller()
    {
        foreach (SequenceUnit unit in Units.Where(static unit => !unit.IsNeeded))
            yield return With(unit, null);
        foreach (SequenceUnit unit in Units.Where(static unit => !unit.IsNeeded && unit.Instructions.Count > 1))
        {
            for (int i = 0; i < unit.Instructions.Count; i++)
            {
                var smaller = new SequenceUnit();
                smaller.Instructions.AddRange(unit.Instructions);
                smaller.Instructions.RemoveAt(i);
                yield return With(unit, smaller);
            }
        }
    }

    private SequenceProgram With(SequenceUnit unit, SequenceUnit? instead)
    {
        var changed = new SequenceProgram
        {
            Seed = Seed,
            Address = Address,
            CodePage = CodePage,
            WritesItself = WritesItself,
            Pointers = Pointers,
            Small = Small,
            Units = [.. Units.Select(other => other == unit ? instead! : other).Where(static other => other is not null)],
        };
        int next = Units.IndexOf(unit) + 1;
        SequenceUnit to = instead ?? (next < Units.Count ? Units[next] : Units[^2]);
        foreach ((SequenceUnit old, SequenceUnit now) in _moved)
            changed._moved[old] = now == unit ? to : now;
        changed._moved[unit] = to;
        return changed;
    }

    /// <summary>All instructions in order; branches and RIP-relative references to code say the number of their target (from 1) as their address.</summary>
    public List<SequenceInstruction> Flatten()
    {
        var first = new Dictionary<SequenceUnit, int>();
        var all = new List<SequenceInstruction>();
        foreach (SequenceUnit unit in Units)
        {
            first.Add(unit, all.Count);
            all.AddRange(unit.Instructions);
        }

        for (int i = 0; i < all.Count; i++)
        {
            SequenceInstruction instruction = all[i];
            instruction.Code.IP = (ulong)i + 1;
            if (instruction.Target is { } target)
            {
                instruction.TargetIndex = first[MovedTo(target)];
                if (instruction.Code.Op0Kind == OpKind.NearBranch64)
                    instruction.Code.NearBranch64 = (ulong)instruction.TargetIndex + 1;
                else if (instruction.Code.IsIPRelativeMemoryOperand)
                    instruction.Code.MemoryDisplacement64 = (ulong)instruction.TargetIndex + 1;
            }

            all[i] = instruction;
        }

        return all;
    }

    /// <summary>The code, for its address; null if the encoder refuses an instruction.</summary>
    public byte[]? Encode() => Encode(Flatten(), out _);

    /// <summary>As <see cref="Encode()"/>, and tells where each instruction is.</summary>
    public byte[]? Encode(List<SequenceInstruction> flat, out uint[] offsets)
    {
        using var stream = new MemoryStream();
        var block = new InstructionBlock(new StreamCodeWriter(stream), [.. flat.Select(static i => i.Code)], Address);
        bool ok = BlockEncoder.TryEncode(64, block, out string? error, out BlockEncoderResult result, BlockEncoderOptions.ReturnNewInstructionOffsets);
        EncoderError = error;
        offsets = ok ? result.NewInstructionOffsets : [];
        return ok ? stream.ToArray() : null;
    }

    /// <summary>The program as an assembler would have it.</summary>
    public string Disassemble()
    {
        var text = new StringBuilder();
        byte[] bytes = Encode() ?? [];
        var decoder = Iced.Intel.Decoder.Create(64, bytes);
        decoder.IP = Address;
        while (decoder.IP < Address + (ulong)bytes.Length)
        {
            ulong at = decoder.IP;
            decoder.Decode(out Instruction instruction);
            text.AppendLine(CultureInfo.InvariantCulture, $"  {at:x}  {Convert.ToHexString(bytes, (int)(at - Address), instruction.Length),-24}  {instruction}");
        }

        return text.ToString();
    }

    private SequenceUnit MovedTo(SequenceUnit unit) => _moved.GetValueOrDefault(unit, unit);

    private readonly Dictionary<SequenceUnit, SequenceUnit> _moved = [];
}

/// <summary>Instructions that stay together.</summary>
internal sealed class SequenceUnit
{
    public List<SequenceInstruction> Instructions { get; } = [];

    /// <summary>The program cannot do without.</summary>
    public bool IsNeeded { get; init; }

    public SequenceUnit Add(in Instruction code, SequenceUnit? target = null)
    {
        Instructions.Add(new SequenceInstruction { Code = code, Target = target });
        return this;
    }
}

/// <summary>One instruction of a program.</summary>
internal struct SequenceInstruction
{
    public Instruction Code;

    /// <summary>Where a branch goes (an indirect one, too), or what code an instruction refers to.</summary>
    public SequenceUnit? Target;

    /// <summary>The number of the first instruction of <see cref="Target"/>.</summary>
    public int TargetIndex;
}
