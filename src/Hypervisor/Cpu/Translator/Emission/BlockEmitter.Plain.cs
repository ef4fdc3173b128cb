using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Instructions that stay what they are, with other operands.</summary>
internal sealed partial class BlockEmitter
{
    private const int ByteRotation = 8, BackRotation = 56;

    private readonly Encoder _encoder;

    private void EmitPlain(ref GuestInstruction instruction)
    {
        Instruction code = instruction.Code;
        bool memory = instruction.Operand.Exists;
        HostRegister rotated = memory ? HighByteRegister(in code) : HostRegister.None;
        if (memory)
        {
            HostAddress operand = EmitAccess(ref instruction);
            SetMemory(ref code, in operand);
        }

        Span<Displaced> displaced = stackalloc Displaced[3];
        int count = RenameRegisters(in instruction.Code, ref code, memory, rotated, displaced);
        foreach (Displaced register in displaced[..count])
        {
            if (register.Loads)
                _emitter.Load(register.Host, HostAddress.Context(ContextOffsets.Gpr(register.Guest)));
        }

        if (rotated != HostRegister.None)
            _emitter.Rotate(rotated, ByteRotation);
        bool extended = InstructionSets.KindOf(code.Code) == SiliconKind.Extended;
        if (extended)
            NoteUpperHalves(in code);
        Encode(in code);
        if (rotated != HostRegister.None)
            _emitter.Rotate(rotated, BackRotation);
        foreach (Displaced register in displaced[..count])
        {
            if (register.Stores)
                _emitter.Store(HostAddress.Context(ContextOffsets.Gpr(register.Guest)), register.Host);
        }
    }

    private void EmitAddress(ref GuestInstruction instruction)
    {
        ref readonly Instruction code = ref instruction.Code;
        int guest = code.Op0Register.GetNumber();
        bool displaced = RegisterMap.IsDisplaced(guest);
        HostRegister to = displaced ? RegisterMap.Scratch : RegisterMap.HostOf(guest);
        bool wide = code.Op0Register.IsGPR64() && !code.MemoryBase.IsGPR32() && !code.MemoryIndex.IsGPR32();
        if (code.IsIPRelativeMemoryOperand)
        {
            _emitter.Move(to, wide ? code.IPRelativeMemoryAddress : (uint)code.IPRelativeMemoryAddress);
        }
        else
        {
            HostAddress address = HostAddressOf(in code);
            if (address.Base == HostRegister.None && address.Index == HostRegister.None)
                _emitter.Move(to, wide ? code.MemoryDisplacement64 : (uint)code.MemoryDisplacement64);
            else
                _emitter.Lea(to, in address, wide);
        }

        if (displaced)
            _emitter.Store(HostAddress.Context(ContextOffsets.Gpr(guest)), to);
    }

    /// <summary>The guest's selectors are in the context only.</summary>
    private void EmitReadSegment(in Instruction code)
    {
        const int MoveZeroExtended = 0x0FB7;
        int guest = code.Op0Register.GetNumber();
        bool displaced = RegisterMap.IsDisplaced(guest);
        HostRegister to = displaced ? RegisterMap.Scratch : RegisterMap.HostOf(guest);
        _emitter.Memory(false, MoveZeroExtended, (int)to, HostAddress.Context(RegisterOffsets.Of(code.Op1Register)));
        if (displaced)
            _emitter.Store(HostAddress.Context(ContextOffsets.Gpr(guest)), to);
    }

    /// <summary>Division, with what would fault left to the interpreter: a divisor of 0, a quotient that does not fit.</summary>
    private void EmitDivide(ref GuestInstruction instruction)
    {
        const HostRegister divisor = RegisterMap.Scratch2, sign = RegisterMap.Scratch;
        ref readonly Instruction code = ref instruction.Code;
        bool wide = code.Code is Code.Div_rm64 or Code.Idiv_rm64;
        if (instruction.Operand.Exists)
            _emitter.Load(divisor, EmitAccess(ref instruction), wide);
        else if (RegisterMap.IsDisplaced(code.Op0Register.GetNumber()))
            _emitter.Load(divisor, HostAddress.Context(ContextOffsets.Gpr(code.Op0Register.GetNumber())), wide);
        else
            _emitter.Move(divisor, RegisterMap.HostOf(code.Op0Register.GetNumber()), wide);

        BlockExit care = ExitAt(in instruction, BlockExitKind.Interpret);
        if (code.Mnemonic == Mnemonic.Div)
        {
            _emitter.Compare(HostRegister.Rdx, divisor, wide);
            AddCold(new ColdPath { From = _emitter.Jump(HostCondition.AboveOrEqual), Exit = care });
            _emitter.Registers(wide, 0xF7, 6, divisor);
            return;
        }

        // A dividend that is one register's worth, by anything but 0 and -1.
        _emitter.Move(sign, HostRegister.Rax, wide);
        _emitter.ShiftArithmetic(sign, wide ? 63 : 31, wide);
        _emitter.Compare(sign, HostRegister.Rdx, wide);
        AddCold(new ColdPath { From = _emitter.Jump(HostCondition.NotEqual), Exit = care });
        _emitter.Lea(sign, HostAddress.At(divisor, 1), wide);
        _emitter.Compare(sign, 1, wide);
        AddCold(new ColdPath { From = _emitter.Jump(HostCondition.BelowOrEqual), Exit = care });
        _emitter.Registers(wide, 0xF7, 7, divisor);
    }

    private void Encode(in Instruction code)
    {
        if (!_encoder.TryEncode(in code, 0, out _, out string? error))
            throw new UntranslatableException($"{code}: {error}");
    }

    /// <summary>Makes an instruction's memory operand a host address.</summary>
    public static void SetMemory(ref Instruction code, in HostAddress operand)
    {
        code.SegmentPrefix = Register.None;
        code.MemoryBase = operand.Base == HostRegister.None ? Register.None : Register.RAX + (int)operand.Base;
        code.MemoryIndex = operand.Index == HostRegister.None ? Register.None : Register.RAX + (int)operand.Index;
        code.MemoryIndexScale = 1 << operand.Scale;
        code.MemoryDisplacement64 = (ulong)operand.Displacement;
        code.MemoryDisplSize = operand.Displacement == 0 ? 0 : operand.Displacement == (sbyte)operand.Displacement ? 1 : 8;
    }

    /// <summary>The register whose high byte is an operand, or none.</summary>
    private static HostRegister HighByteRegister(in Instruction code)
    {
        for (int i = 0; i < code.OpCount; i++)
        {
            if (code.GetOpKind(i) == OpKind.Register && code.GetOpRegister(i) is >= Register.AH and <= Register.BH)
                return (HostRegister)(code.GetOpRegister(i) - Register.AH);
        }

        return HostRegister.None;
    }

    private sealed class EmitterWriter(Emitter emitter) : CodeWriter
    {
        public override void WriteByte(byte value) => emitter.Byte(value);
    }
}

/// <summary>An instruction has no form with other registers. Its block is left to the interpreter.</summary>
internal sealed class UntranslatableException(string message) : Exception(message);
