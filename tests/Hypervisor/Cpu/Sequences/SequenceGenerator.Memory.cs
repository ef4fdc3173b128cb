using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>Units about memory: pointers, the stack, code that is written.</summary>
internal sealed partial class SequenceGenerator
{
    private void AddPointerMotion(SequenceUnit unit)
    {
        int number = _operands.Pointer();
        Register pointer = SequenceOperands.Wide(number);
        int distance = (_random.Below(24) - 12) * (number == 4 ? 8 : _random.Pick(1, 8, 8, 16, 16, 64));
        unit.Add(_random.Below(6) switch
        {
            0 or 1 => Instruction.Create(Code.Add_rm64_imm32, pointer, distance),
            2 => Instruction.Create(Code.Sub_rm64_imm32, pointer, distance),
            3 => Instruction.Create(Code.Add_rm64_imm8, pointer, (sbyte)Math.Clamp(distance, -128, 127)),
            4 when number != 4 => Instruction.Create(Code.Mov_r64_rm64, pointer, SequenceOperands.Wide(_random.Pick<int>(_program.Pointers))),
            _ => Instruction.Create(Code.Lea_r64_m, pointer, new MemoryOperand(pointer, Register.None, 1, distance, 8)),
        });
    }

    private void AddStack(SequenceUnit unit)
    {
        switch (_random.Below(10))
        {
            case <= 3:
                unit.Add(Instruction.Create(Code.Push_r64, SequenceOperands.Wide(_random.OneIn(8) ? 4 : _operands.Any())));
                break;
            case <= 6:
                unit.Add(Instruction.Create(Code.Pop_r64, SequenceOperands.Wide(_operands.Any())));
                break;
            case 7:
                unit.Add(_random.OneIn(2) ? Instruction.Create(Code.Pushq_imm32, (int)_random.Value()) : Instruction.Create(Code.Pushfq));
                break;
            case 8:
                unit.Add(Memory(_random.Pick(Code.Push_rm64, Code.Push_rm64, Code.Pop_rm64, Code.Push_rm16)));
                break;
            default:
                // A frame.
                unit.Add(Instruction.Create(Code.Push_r64, Register.RBP)).Add(Instruction.Create(Code.Mov_r64_rm64, Register.RBP, Register.RSP));
                unit.Add(Instruction.Create(Code.Sub_rm64_imm8, Register.RSP, 8 * _random.Below(8))).Add(Move()).Add(Instruction.Create(Code.Leaveq));
                if (_counter == 5)
                    unit.Instructions.RemoveRange(1, unit.Instructions.Count - 1);
                break;
        }
    }

    private Instruction Memory(Code code)
    {
        var instruction = default(Instruction);
        instruction.Code = code;
        _operands.SetMemory(ref instruction, 0, code.ToOpCode().MemorySize.GetSize());
        return instruction;
    }

    /// <summary>Writes the constant of a move that stands anywhere in the program; through its own address, or through another.</summary>
    private void AddSelfModification(SequenceUnit unit)
    {
        var victim = new SequenceUnit { IsNeeded = true };
        victim.Add(Instruction.Create(Code.Mov_r32_imm32, Register.EAX + _random.Below(3), (int)_random.Next()));
        _program.Units.Insert(_random.Below(_program.Units.Count + 1), victim);
        Register pointer = SequenceOperands.Wide(_random.Pick(0, 1, 2));
        unit.Add(Instruction.Create(Code.Lea_r64_m, pointer, new MemoryOperand(Register.RIP, Register.None, 1, 0, 8)), victim);
        if (_random.OneIn(3))
        {
            unit.Add(Instruction.Create(Code.And_rm32_imm32, Register.EAX + (pointer - Register.RAX), 0xFFF));
            unit.Add(Instruction.Create(Code.Add_rm64_imm32, pointer, (int)SequenceMachine.AddressOf(SequenceMachine.CodeAliasPage)));
        }

        var place = new MemoryOperand(pointer, Register.None, 1, 1 + _random.Below(2), 1);
        unit.Add(_random.OneIn(2) ? Instruction.Create(Code.Mov_rm8_imm8, place, _random.Below(256)) : Instruction.Create(Code.Inc_rm8, place));
    }
}
