using Iced.Intel;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// Emits host code for a superblock. Read this first, then Memory (checks), Plain (re-encoding), Stack and Flow.
/// Between two guest instructions the guest's state is exact: registers where <see cref="RegisterMap"/> says, memory, and the flags that are alive.
/// All checks of an instruction come before its first effect, so that leaving at a failed one is leaving before the instruction.
/// </summary>
internal sealed partial class BlockEmitter
{
    /// <summary>No block needs more: 24 instructions with two checks each, and their exits.</summary>
    public const int MaxBodySize = 8192, MaxColdSize = 8192;

    private readonly Emitter _emitter;
    private readonly Trampolines _trampolines;
    private readonly CodeCache _cache;
    private readonly List<ColdPath> _cold = [];
    private Superblock _block = null!;
    private TranslatedBlock _translated;
    private int _number;

    /// <summary>The guest's flags are in the context, as <see cref="FlagSaving"/> puts them, at this point of the block; whether or not they are in the host's.</summary>
    private bool _flagsAreSaved;

    /// <summary>The context says that upper halves of vector registers are in use, at this point of the block.</summary>
    private bool _upperHalvesAreNoted;

    /// <summary>Start of the mode's TLB in the context.</summary>
    private int _tlb;

    public BlockEmitter(CodeCache cache, Emitter emitter, Trampolines trampolines)
    {
        _cache = cache;
        _emitter = emitter;
        _trampolines = trampolines;
        _encoder = Iced.Intel.Encoder.Create(64, new EmitterWriter(emitter));
    }

    /// <summary>Emits a block.</summary>
    /// <param name="block">The decoded instructions; none if <paramref name="interpretOnly"/>.</param>
    /// <param name="rip">Its address.</param>
    /// <param name="frame">The frame that it is in.</param>
    /// <param name="tail">The frame that its only instruction continues in, or invalid.</param>
    /// <param name="variant">What it is translated for.</param>
    /// <param name="interpretOnly">The block only says that the interpreter is to go on.</param>
    /// <returns>The block's number.</returns>
    public int Emit(Superblock block, ulong rip, Mfn frame, Mfn tail, BlockVariant variant, bool interpretOnly)
    {
        _block = block;
        _cold.Clear();
        _upperHalvesAreNoted = false;
        _tlb = (variant & BlockVariant.User) != 0 ? ContextOffsets.UserTlb : ContextOffsets.KernelTlb;
        _number = _cache.Reserve(out int hot, out int cold);
        _translated = new TranslatedBlock { Rip = rip, Frame = frame, Tail = tail, Variant = variant, Lines = block.Lines };
        _emitter.MoveTo(hot, hot + MaxBodySize);
        _emitter.Align(16);
        EmitEntries(!interpretOnly && block.Instructions[0].Live != RflagsBits.None, interpretOnly || block.Instructions[0].LeavesFlags);
        if (interpretOnly)
            LeaveTo(new BlockExit { Kind = BlockExitKind.Interpret, Rip = rip });
        else
            EmitBody();

        int hotEnd = _emitter.Position;
        _emitter.MoveTo(cold, cold + MaxColdSize);
        EmitGone();
        foreach (ColdPath path in _cold)
            EmitCold(in path);
        return _cache.Add(in _translated, hotEnd, _emitter.Position);
    }

    private void EmitBody()
    {
        Span<GuestInstruction> instructions = _block.Instructions;
        for (int i = 0; i < instructions.Length; i++)
        {
            ref GuestInstruction instruction = ref instructions[i];
            _places?.Add((_emitter.Position, instruction.Code.IP));
            switch (instruction.Kind)
            {
                case InstructionKind.Nothing:
                    break;
                case InstructionKind.Plain:
                    EmitPlain(ref instruction);
                    break;
                case InstructionKind.Address:
                    EmitAddress(ref instruction);
                    break;
                case InstructionKind.ReadSegment:
                    EmitReadSegment(in instruction.Code);
                    break;
                case InstructionKind.BitTest:
                    EmitBitTest(ref instruction);
                    break;
                case InstructionKind.Divide:
                    EmitDivide(ref instruction);
                    break;
                case InstructionKind.Push:
                    EmitPush(ref instruction);
                    break;
                case InstructionKind.Pop:
                    EmitPop(ref instruction);
                    break;
                case InstructionKind.PushFlags:
                    EmitPushFlags(ref instruction);
                    break;
                case InstructionKind.ReadTimeStamp:
                    EmitReadTimeStamp(in instruction);
                    break;
                case InstructionKind.Leave:
                    EmitLeave(ref instruction);
                    break;
                case InstructionKind.ConditionalJump:
                    EmitConditionalJump(ref instruction);
                    break;
                case InstructionKind.Jump:
                    LeaveDirect(instruction.Code.NearBranchTarget, instruction.IsNear);
                    return;
                case InstructionKind.JumpIndirect:
                    EmitJumpIndirect(ref instruction);
                    return;
                case InstructionKind.Call:
                    EmitCall(ref instruction);
                    return;
                case InstructionKind.CallIndirect:
                    EmitCallIndirect(ref instruction);
                    return;
                case InstructionKind.Return:
                    EmitReturn(ref instruction);
                    return;
                case InstructionKind.RepeatString:
                    EmitRepeat(ref instruction);
                    break;
                case InstructionKind.SystemCall:
                    LeaveTo(new BlockExit { Kind = BlockExitKind.SystemCall, Rip = instruction.Code.NextIP });
                    return;
                default:
                    LeaveTo(new BlockExit { Kind = BlockExitKind.Interpret, Code = instruction.Code.Code, Rip = instruction.Code.IP });
                    return;
            }

            if (instruction.Writes != RflagsBits.None)
                _flagsAreSaved = false;
        }

        LeaveDirect(_block.End, _block.EndIsNear);
    }

    /// <summary>What is emitted behind the block, because it is rarely executed.</summary>
    private struct ColdPath
    {
        /// <summary>The jump that comes here.</summary>
        public int From;

        /// <summary>The guest address to leave with, by <see cref="Trampoline"/>; else <see cref="Exit"/> tells.</summary>
        public int Trampoline;

        public BlockExit Exit;

        /// <summary>The flags are in the context and are to be taken back.</summary>
        public bool RestoresFlags;

        /// <summary>The flags are in the host's and are to be saved.</summary>
        public bool SavesFlags;

        /// <summary>For what missed: the host's flags are alive.</summary>
        public bool KeepsFlags;

        /// <summary>rcx is in the context and is to be taken back.</summary>
        public bool RestoresCounter;

        /// <summary>For what missed: the address, if it is constant; else 0.</summary>
        public ulong ConstantAddress;
    }
}
