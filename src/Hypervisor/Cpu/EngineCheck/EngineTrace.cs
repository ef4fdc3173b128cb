using System.Globalization;
using System.Text;
using Iced.Intel;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>What the interpreter did in a block, for the report of a difference.</summary>
internal sealed class EngineTrace
{
    private const int MaxInstructionLength = 15;

    /// <summary>How many instructions a report shows at most.</summary>
    private const int MaxInstructions = 100;

    private static readonly string[] Names = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    private readonly RegisterFile _start;

    /// <summary>The last instructions, in order.</summary>
    private readonly Queue<Instruction> _instructions = [];

    private ulong _undefinedFlags;
    private RegisterFile _interpreted;
    private string _memory = "";

    /// <param name="start">Registers at its begin.</param>
    public EngineTrace(in RegisterFile start)
    {
        _start = start;
        _interpreted = start;
    }

    /// <summary>Flags that the processor leaves undefined.</summary>
    public ulong UndefinedFlags => _undefinedFlags;

    /// <summary>Notes the instruction at rip, which is about to be executed; not when it is only continued.</summary>
    public void Add(VcpuState state, bool again)
    {
        if (again)
            return;
        Span<byte> code = stackalloc byte[MaxInstructionLength];
        int length = Fetch(state, state.Registers.Rip, code);
        var decoder = Iced.Intel.Decoder.Create(64, code[..length].ToArray());
        decoder.IP = state.Registers.Rip;
        decoder.Decode(out Instruction instruction);
        if (_instructions.Count == MaxInstructions)
            _instructions.Dequeue();
        _instructions.Enqueue(instruction);
        if (instruction.Mnemonic == Mnemonic.Syscall)
            return; // what it does to flags has not happened where states are compared
        ulong undefined = FlagBits.Of(instruction.RflagsUndefined);
        _undefinedFlags = (_undefinedFlags & ~FlagBits.Of(instruction.RflagsModified)) | undefined;
        if (instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Shld or Mnemonic.Shrd or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr)
            _undefinedFlags |= FlagBits.Of(instruction.RflagsUndefined);
    }

    /// <summary>Whether the states agree, but for some flags.</summary>
    public static bool IsSame(in RegisterFile translated, in RegisterFile interpreted, ulong ignoredFlags)
    {
        if (translated.Rip != interpreted.Rip || translated.Mxcsr != interpreted.Mxcsr)
            return false;
        for (int i = 0; i < 16; i++)
        {
            if (translated.Gpr[i] != interpreted.Gpr[i] || translated.Xmm[i] != interpreted.Xmm[i] || translated.UpperHalves[i] != interpreted.UpperHalves[i])
                return false;
        }

        return ((translated.Rflags ^ interpreted.Rflags) & ~ignoredFlags) == 0;
    }

    /// <summary>Notes what the interpreter has come to where the translator ended.</summary>
    public void NoteState(in RegisterFile interpreted) => _interpreted = interpreted;

    /// <summary>Notes in which way memory differs.</summary>
    public void NoteMemory(string? difference) => _memory = difference ?? "";

    public string Report(in RegisterFile translated)
    {
        var text = new StringBuilder("the engines differ:\n");
        foreach (Instruction instruction in _instructions)
            text.AppendLine(CultureInfo.InvariantCulture, $"  {instruction.IP:x}  {instruction}");
        Line(text, "rip", _start.Rip, translated.Rip, _interpreted.Rip);
        Line(text, "rflags", _start.Rflags, translated.Rflags, _interpreted.Rflags);
        Line(text, "mxcsr", _start.Mxcsr, translated.Mxcsr, _interpreted.Mxcsr);
        for (int i = 0; i < 16; i++)
            Line(text, Names[i], _start.Gpr[i], translated.Gpr[i], _interpreted.Gpr[i]);
        for (int i = 0; i < 16; i++)
        {
            if (translated.Xmm[i] != _interpreted.Xmm[i])
                text.AppendLine(CultureInfo.InvariantCulture, $"  xmm{i} {translated.Xmm[i]} {_interpreted.Xmm[i]}");
            if (translated.UpperHalves[i] != _interpreted.UpperHalves[i])
                text.AppendLine(CultureInfo.InvariantCulture, $"  ymm{i}, upper half {translated.UpperHalves[i]} {_interpreted.UpperHalves[i]}");
        }

        return text.Append(_memory).ToString();
    }

    private static void Line(StringBuilder text, string name, ulong before, ulong translated, ulong interpreted) =>
        text.AppendLine(CultureInfo.InvariantCulture, $"  {name,-6} {before:x16} -> translator {translated:x16}, interpreter {interpreted:x16}{(translated == interpreted ? "" : "  <--")}");

    private static int Fetch(VcpuState state, ulong address, Span<byte> code)
    {
        int length = 0;
        while (length < code.Length)
        {
            Translation translation = PageWalker.Walk(state.Memory, state.Root, address + (ulong)length, MemoryAccess.Execute);
            if (!translation.Present)
                break;
            int offset = (int)((address + (ulong)length) & Page.OffsetMask);
            int count = Math.Min(code.Length - length, Page.Size - offset);
            state.Memory.Frame(translation.Frame).Slice(offset, count).CopyTo(code[length..]);
            length += count;
        }

        return length;
    }
}
