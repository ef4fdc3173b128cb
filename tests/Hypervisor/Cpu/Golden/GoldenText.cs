using System.Globalization;
using System.Text;
using Iced.Intel;
using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu.Tests;

/// <summary>A translated block as text: positions are labels, offsets into the vCPU's context are names, exits are told in words.</summary>
internal sealed class GoldenText : ISymbolResolver
{
    private const int FieldSize = 8, EntrySize = 32;
    private static readonly string[] EntryFields = ["read_bias", "write_bias", "addend", "host_page"];
    private readonly CodeCache _cache;
    private readonly Formatter _formatter;
    private readonly Dictionary<int, string> _labels = [];

    private GoldenText(CodeCache cache)
    {
        _cache = cache;
        _formatter = new IntelFormatter(this);
        _formatter.Options.HexPrefix = "0x";
        _formatter.Options.HexSuffix = "";
        _formatter.Options.SpaceAfterOperandSeparator = true;
        _formatter.Options.BranchLeadingZeros = false;
        _formatter.Options.ShowBranchSize = false;
        _formatter.Options.SmallHexNumbersInDecimal = false;
    }

    /// <summary>Translates code that is on a page of its own.</summary>
    /// <param name="code">The guest's code.</param>
    /// <param name="rip">Its address.</param>
    /// <param name="variant">What it is translated for.</param>
    /// <param name="entries">Whether the checks at the block's entries are told.</param>
    public static string Of(ReadOnlySpan<byte> code, ulong rip, BlockVariant variant, bool entries)
    {
        using var cache = new CodeCache(1 << 20);
        using var memory = new MachineMemory(64);
        using var map = new CodeMap(64);
        var superblock = new Superblock(memory, map);
        code.CopyTo(memory.Frame(new Mfn(0))[(int)(rip & Page.OffsetMask)..]);
        Assert.True(superblock.TryDecode(rip, new Mfn(0), variant | BlockVariant.Extended));
        cache.Reserve(out _, out int cold);
        TranslatedBlock block = cache.Block(cache.Translator.Emit(superblock, rip, new Mfn(0x40), Mfn.Invalid, variant, interpretOnly: false));
        cache.Reserve(out int hotEnd, out int coldEnd);
        var text = new GoldenText(cache);
        var result = new StringBuilder();
        foreach (GuestInstruction instruction in superblock.Instructions)
            result.AppendLine(CultureInfo.InvariantCulture, $"  {instruction.Code}");
        int start = entries ? block.Indirect : block.Body;
        text.FindLabels(start, hotEnd, cold, coldEnd, in block);
        text.Write(result, start, hotEnd);
        text.Write(result, cold, coldEnd);
        return result.ToString();
    }

    public bool TryGetSymbol(in Instruction instruction, int operand, int instructionOperand, ulong address, int addressSize, out SymbolResult symbol)
    {
        string? name = instruction.FlowControl is FlowControl.UnconditionalBranch or FlowControl.ConditionalBranch && instruction.Op0Kind == OpKind.NearBranch64
            ? _labels.GetValueOrDefault((int)address)
            : instruction.MemorySegment == Register.GS && operand >= 0 && instruction.GetOpKind(instructionOperand) == OpKind.Memory ? ContextName((int)address) : null;
        symbol = name is null ? default : new SymbolResult(address, name);
        return name is not null;
    }

    private void FindLabels(int start, int hotEnd, int cold, int coldEnd, in TranslatedBlock block)
    {
        _labels.Add(_cache.Trampolines.Exit, "exit");
        _labels.Add(_cache.Trampolines.Lookup, "lookup");
        _labels.Add(_cache.Trampolines.Event, "event");
        if (start != block.Body)
        {
            _labels.Add(block.Indirect, "indirect");
            _labels.Add(block.Far, "far");
            _labels.Add(block.Backward, "backward");
        }

        _labels.Add(block.Body, "body");
        var targets = new SortedSet<int>();
        foreach (Instruction instruction in (IEnumerable<Instruction>)[.. Decode(start, hotEnd), .. Decode(cold, coldEnd)])
        {
            if (instruction.Op0Kind == OpKind.NearBranch64)
                targets.Add((int)instruction.NearBranchTarget);
        }

        int number = 0;
        foreach (int target in targets.Where(target => !_labels.ContainsKey(target)).ToArray())
            _labels.Add(target, target >= cold ? $"cold{++number}" : $"near{++number}");
    }

    private void Write(StringBuilder result, int start, int end)
    {
        var line = new StringOutput();
        foreach (Instruction instruction in Decode(start, end))
        {
            if (_labels.TryGetValue((int)instruction.IP, out string? label))
                result.AppendLine(CultureInfo.InvariantCulture, $"    {label}:");
            _formatter.Format(in instruction, line);
            result.AppendLine(CultureInfo.InvariantCulture, $"        {line.ToStringAndReset()}{Comment(in instruction)}");
        }
    }

    private IEnumerable<Instruction> Decode(int start, int end)
    {
        byte[] bytes = _cache.Memory.Read(start, end - start).ToArray();
        var decoder = Iced.Intel.Decoder.Create(64, bytes);
        decoder.IP = (ulong)start;
        while (decoder.IP < (ulong)end)
            yield return decoder.Decode();
    }

    /// <summary>What an exit is for.</summary>
    private string Comment(in Instruction instruction)
    {
        bool leaves = instruction.Code == Code.Mov_rm32_imm32 && instruction.MemorySegment == Register.GS && (int)instruction.MemoryDisplacement64 == ContextOffsets.ExitId;
        if (!leaves)
            return "";
        ref readonly BlockExit exit = ref _cache.Exit((int)instruction.Immediate32);
        string access = exit.Size == 0 ? "" : $", {(exit.Writes ? "write" : "read")} of {exit.Size} bytes";
        return string.Create(CultureInfo.InvariantCulture, $"    ; {exit.Kind} at {exit.Rip:x}{access}");
    }

    private static string ContextName(int offset)
    {
        foreach ((int at, string name) in (ReadOnlySpan<(int, string)>)
        [
            (ContextOffsets.Requests, "requests"), (ContextOffsets.ExitId, "exit_id"), (ContextOffsets.Target, "target"), (ContextOffsets.Borrowed, "borrowed"),
            (ContextOffsets.Held, "held"), (ContextOffsets.UpperHalvesInUse, "upper_halves_in_use"), (ContextOffsets.SavedFlags, "saved_flags"), (ContextOffsets.JumpTable, "jump_table"), (ContextOffsets.IndexMask, "index_mask"),
            (ContextOffsets.Rflags, "rflags"), (ContextOffsets.Rflags + 1, "rflags+1"), (ContextOffsets.FsBase, "fs_base"),
            (ContextOffsets.GsBase, "gs_base"), (RegisterOffsets.Of(Register.CS), "cs"), (RegisterOffsets.Of(Register.DS), "ds"),
        ])
        {
            if (offset == at)
                return name;
        }

        if (offset < 16 * FieldSize)
            return "guest_" + SiliconDifferences.GprNames[offset / FieldSize];
        if (offset >= ContextOffsets.PageMasks && offset < ContextOffsets.PageMasks + (5 * FieldSize))
            return $"page_mask_{1 << ((offset - ContextOffsets.PageMasks) / FieldSize)}";
        if (offset >= ContextOffsets.BitMasks && offset < ContextOffsets.BitMasks + (3 * FieldSize))
            return $"bit_mask_{16 << ((offset - ContextOffsets.BitMasks) / FieldSize)}";
        int inTlb = offset - (offset >= ContextOffsets.UserTlb ? ContextOffsets.UserTlb : ContextOffsets.KernelTlb);
        string tlb = offset >= ContextOffsets.UserTlb ? "user_tlb" : "tlb";
        if (inTlb < 0)
            return $"context_{offset:x}";
        if (inTlb >= ContextOffsets.CodeKeys)
            return $"{tlb}.code_keys[0x{(inTlb - ContextOffsets.CodeKeys) / FieldSize:x}]";
        string field = EntryFields[inTlb % EntrySize / FieldSize];
        return inTlb < EntrySize ? $"{tlb}.{field}" : $"{tlb}[0x{inTlb / EntrySize:x}].{field}";
    }
}
