using Iced.Intel;

namespace Xen.Cpu;

/// <summary>
/// Turns guest code into ops. Reused from block to block; one per interpreter. Lowering functions call <see cref="Emit"/>
/// and fill in the operands.
/// </summary>
internal sealed class BlockDecoder
{
    /// <summary>Most instructions of a block.</summary>
    public const int MaxInstructions = 32;

    private const int MaxInstructionLength = 15;
    private const int WindowSize = MaxInstructions * 8;

    private readonly Window _window = new();
    private readonly Decoder _decoder;
    private MicroOp[] _ops = new MicroOp[MaxInstructions * 4];
    private int _count;
    private int _instructions;
    private ulong _start;
    private Instruction _instruction;
    private Fusion? _pendingFusion;

    /// <param name="host">Who executes what the interpreter does not have; null: nobody.</param>
    public BlockDecoder(HostExecutor? host)
    {
        Host = host;
        _decoder = Decoder.Create(64, _window);
    }

    /// <summary>Who executes what the interpreter does not have.</summary>
    public HostExecutor? Host { get; }

    /// <summary>Whether an op was emitted that leaves the block.</summary>
    public bool Ended { get; set; }

    /// <summary>Whether the block has checked CR0.TS already.</summary>
    public bool ChecksTaskSwitched { get; set; }

    /// <summary>How the op of the instruction just lowered fuses with a conditional jump behind it; null if it does not.</summary>
    public Fusion? Fusion { get; set; }

    /// <summary>Address of the instruction behind the one being lowered.</summary>
    public ulong NextRip => _instruction.NextIP;

    /// <summary>Decodes from the start of <paramref name="code"/>, which ends with its page; the tail is the page after it.</summary>
    /// <returns>False when not even one instruction fits on the page and no tail was given.</returns>
    public bool TryDecode(ulong rip, ReadOnlySpan<byte> code, ReadOnlySpan<byte> tail, int maxInstructions)
    {
        int available = _window.Load(code, tail, WindowSize);
        _decoder.IP = rip;
        _start = rip;
        _count = 0;
        _instructions = 0;
        Ended = false;
        ChecksTaskSwitched = false;
        Fusion = null;
        ulong end = rip;
        while (!Ended && _instructions < maxInstructions)
        {
            _decoder.Decode(out _instruction);
            if (_decoder.LastError == DecoderError.NoMoreBytes)
            {
                if (_instructions == 0 && tail.IsEmpty && available == code.Length && available < MaxInstructionLength)
                    return false;
                if (_instructions != 0)
                    break;
            }

            _instructions++;
            end = _instruction.NextIP;
            _pendingFusion = Fusion;
            Fusion = null;
            LoweringTable.Lower(in _instruction, this);
        }

        if (!Ended)
        {
            ref MicroOp op = ref Append(Handler.Of<FallThrough>());
            op.Displacement = end;
        }

        Length = (int)(end - rip);
        return true;
    }

    /// <summary>The ops of the block just decoded.</summary>
    public ReadOnlySpan<MicroOp> Ops => _ops.AsSpan(0, _count);

    /// <summary>Bytes of the block just decoded.</summary>
    public int Length { get; private set; }

    /// <summary>Guest instructions of the block just decoded.</summary>
    public int InstructionCount => _instructions;

    /// <summary>Adds an op for the instruction being lowered, with its memory operand if it has one.</summary>
    public ref MicroOp Emit(in Instruction instruction, nint handler)
    {
        bool memory = HasMemoryOperand(in instruction);
        if (memory && NeedsTemp(in instruction))
        {
            EmitAddress(in instruction);
            ref MicroOp simple = ref Append(handler);
            simple.Base = RegisterOffsets.Temp;
            return ref simple;
        }

        ref MicroOp op = ref Append(handler);
        if (memory)
            SetMemory(ref op, in instruction);
        return ref op;
    }

    /// <summary>Adds the op that ends the block.</summary>
    public ref MicroOp EmitLast(in Instruction instruction, nint handler)
    {
        Ended = true;
        return ref Emit(in instruction, handler);
    }

    /// <summary>Adds the op of a conditional jump, which ends the block, fused with the op before it where that can be.</summary>
    public ref MicroOp EmitConditionalJump(in Instruction instruction, nint handler)
    {
        Ended = true;
        if (_pendingFusion is { } fuse)
            _ops[_count - 1].Handler = fuse(instruction.ConditionCode);
        return ref Append(handler);
    }

    private ref MicroOp Append(nint handler)
    {
        if (_count == _ops.Length)
            Array.Resize(ref _ops, _ops.Length * 2);
        ref MicroOp op = ref _ops[_count++];
        op = default;
        op.Handler = handler;
        op.Base = RegisterOffsets.Zero;
        op.Index = RegisterOffsets.Zero;
        op.Length = (byte)_instruction.Length;
        op.RipOffset = (ushort)(_instruction.IP - _start);
        op.Ordinal = (ushort)_instructions;
        return ref op;
    }

    private static bool HasMemoryOperand(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Memory)
                return true;
        }

        return false;
    }

    /// <summary>Whether the address has more parts than an op has room for: FS or GS and an index, or 32-bit arithmetic.</summary>
    private static bool NeedsTemp(in Instruction instruction) =>
        (instruction.MemorySegment is Register.FS or Register.GS && instruction.MemoryIndex != Register.None)
        || Is32BitAddress(in instruction);

    private static bool Is32BitAddress(in Instruction instruction) =>
        instruction.MemoryBase.IsGPR32() || instruction.MemoryIndex.IsGPR32();

    private void EmitAddress(in Instruction instruction)
    {
        bool narrow = Is32BitAddress(in instruction);
        ref MicroOp op = ref Append(narrow ? Handler.Of<ComputeAddress32>() : Handler.Of<ComputeAddress>());
        SetMemory(ref op, in instruction);
        if (instruction.MemoryIndex == Register.None)
            op.Index = RegisterOffsets.Zero;
        op.Src = SegmentOf(in instruction);
    }

    private static void SetMemory(ref MicroOp op, in Instruction instruction)
    {
        op.Displacement = instruction.IsIPRelativeMemoryOperand ? instruction.IPRelativeMemoryAddress : instruction.MemoryDisplacement64;
        ushort segment = SegmentOf(in instruction);
        if (!instruction.IsIPRelativeMemoryOperand && instruction.MemoryBase != Register.None)
            op.Base = RegisterOffsets.Of(instruction.MemoryBase.GetFullRegister());
        if (instruction.MemoryIndex != Register.None)
        {
            op.Index = RegisterOffsets.Of(instruction.MemoryIndex.GetFullRegister());
            op.Scale = (byte)System.Numerics.BitOperations.Log2((uint)instruction.MemoryIndexScale);
        }
        else
        {
            op.Index = segment;
        }
    }

    /// <summary>Where the base of an operand's segment is: FS and GS have one.</summary>
    public static ushort SegmentOf(in Instruction instruction) => instruction.MemorySegment switch
    {
        Register.FS => RegisterOffsets.FsBase,
        Register.GS => RegisterOffsets.GsBase,
        _ => RegisterOffsets.Zero,
    };

    /// <summary>The bytes that are being decoded.</summary>
    private sealed class Window : CodeReader
    {
        private readonly byte[] _bytes = new byte[WindowSize];
        private int _length;
        private int _position;

        public int Load(ReadOnlySpan<byte> code, ReadOnlySpan<byte> tail, int limit)
        {
            int head = Math.Min(code.Length, limit);
            code[..head].CopyTo(_bytes);
            int rest = Math.Min(tail.Length, Math.Min(MaxInstructionLength, limit - head));
            tail[..rest].CopyTo(_bytes.AsSpan(head));
            _length = head + rest;
            _position = 0;
            return _length;
        }

        public override int ReadByte() => _position < _length ? _bytes[_position++] : -1;
    }
}
