using System.Numerics;
using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Bit tests in memory by a register: its upper part is an offset to the operand's address.</summary>
internal sealed partial class BlockEmitter
{
    private void EmitBitTest(ref GuestInstruction instruction)
    {
        Instruction code = instruction.Code;
        int size = code.MemorySize.GetSize();
        bool free = TryFreeFlags(in instruction);
        int start = _emitter.Position;
        EmitBitAddress(in code, keepFlags: !free);
        EmitCheck(ref instruction, in instruction.Operand, free, start);

        // The bit's number within the operand: PEXT, because the instruction leaves ZF alone.
        HostRegister number = LoadGuest(code.Op1Register.GetFullRegister().GetNumber(), RegisterMap.Scratch2);
        _emitter.Extract(RegisterMap.Scratch2, number, ContextOffsets.BitMasks + ((BitOperations.Log2((uint)size) - 1) * sizeof(ulong)));
        SetMemory(ref code, HostAddress.At(RegisterMap.Scratch));
        code.Op1Register = Sized(RegisterMap.Scratch2, size);
        Encode(in code);
    }

    /// <summary>Loads the address of the operand that has the bit into the first scratch register.</summary>
    private void EmitBitAddress(in Instruction code, bool keepFlags)
    {
        const HostRegister number = RegisterMap.Scratch2;
        int size = code.MemorySize.GetSize();
        EmitOperandAddress(in code);
        if (keepFlags)
            FlagSaving.Save(_emitter);
        HostRegister from = LoadGuest(code.Op1Register.GetFullRegister().GetNumber(), number);
        switch (size)
        {
            case 8:
                if (from != number)
                    _emitter.Move(number, from);
                break;
            case 4:
                _emitter.Registers(true, 0x63, (int)number, from); // movsxd
                break;
            default:
                _emitter.Registers(true, 0x0FBF, (int)number, from); // movsx
                break;
        }

        _emitter.ShiftArithmetic(number, BitOperations.Log2((uint)size * 8));
        _emitter.Lea(RegisterMap.Scratch, new HostAddress(RegisterMap.Scratch, number, (byte)BitOperations.Log2((uint)size), 0));
        if (keepFlags)
            FlagSaving.Restore(_emitter);
    }
}
