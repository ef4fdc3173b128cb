using Iced.Intel;

namespace Xen.Cpu;

/// <summary>The stack, and control flow.</summary>
internal sealed partial class BlockEmitter
{
    private const int Word = 8;

    private void EmitPush(ref GuestInstruction instruction)
    {
        ref readonly Instruction code = ref instruction.Code;
        if (instruction.Operand.Exists)
        {
            Hold(EmitAccess(ref instruction));
            HostAddress to = EmitStackAccess(ref instruction);
            _emitter.Load(RegisterMap.Scratch2, HostAddress.Context(ContextOffsets.Held));
            _emitter.Store(in to, RegisterMap.Scratch2);
        }
        else
        {
            HostAddress to = EmitStackAccess(ref instruction);
            if (code.Op0Kind == OpKind.Register)
                _emitter.Store(in to, LoadGuest(code.Op0Register.GetNumber(), RegisterMap.Scratch2));
            else
                _emitter.Store(in to, (int)(long)code.GetImmediate(0));
        }

        MoveStack(-Word);
    }

    private void EmitPop(ref GuestInstruction instruction)
    {
        HostAddress from = EmitStackAccess(ref instruction);
        int guest = instruction.Code.Op0Register.GetNumber();
        if (RegisterMap.IsDisplaced(guest))
        {
            _emitter.Load(RegisterMap.Scratch2, in from);
            _emitter.Store(HostAddress.Context(ContextOffsets.Gpr(guest)), RegisterMap.Scratch2);
        }
        else
        {
            _emitter.Load(RegisterMap.HostOf(guest), in from);
        }

        MoveStack(Word);
    }

    private void EmitLeave(ref GuestInstruction instruction)
    {
        _emitter.Load(RegisterMap.Scratch2, EmitStackAccess(ref instruction));
        _emitter.Lea(RegisterMap.Stack, HostAddress.At(HostRegister.Rbp, Word));
        _emitter.Move(HostRegister.Rbp, RegisterMap.Scratch2);
    }

    private void EmitCall(ref GuestInstruction instruction)
    {
        PushReturnAddress(ref instruction);
        LeaveDirect(instruction.Code.NearBranchTarget, instruction.IsNear);
    }

    private void EmitCallIndirect(ref GuestInstruction instruction)
    {
        if (instruction.Operand.Exists)
        {
            Hold(EmitAccess(ref instruction));
            PushReturnAddress(ref instruction);
            _emitter.Load(RegisterMap.Scratch, HostAddress.Context(ContextOffsets.Held));
        }
        else
        {
            PushReturnAddress(ref instruction);
            MoveTarget(in instruction.Code);
        }

        EmitIndirect();
    }

    private void EmitJumpIndirect(ref GuestInstruction instruction)
    {
        if (instruction.Operand.Exists)
            _emitter.Load(RegisterMap.Scratch, EmitAccess(ref instruction));
        else
            MoveTarget(in instruction.Code);
        EmitIndirect();
    }

    private void EmitReturn(ref GuestInstruction instruction)
    {
        _emitter.Load(RegisterMap.Scratch, EmitStackAccess(ref instruction));
        MoveStack(Word + (instruction.Code.OpCount == 0 ? 0 : instruction.Code.Immediate16));
        EmitIndirect();
    }

    private void EmitConditionalJump(ref GuestInstruction instruction) => AddCold(new ColdPath
    {
        From = _emitter.Jump((HostCondition)(instruction.Code.ConditionCode - ConditionCode.o)),
        SavesFlags = !instruction.IsNear && !_flagsAreSaved,
        Exit = new BlockExit { Kind = BlockExitKind.Direct, FlagsAreSaved = !instruction.IsNear, Rip = instruction.Code.NearBranchTarget },
    });

    /// <summary>Goes to the block of the guest address in the first scratch register.</summary>
    private void EmitIndirect()
    {
        SaveFlags();
        Trampolines.EmitIndirect(_emitter);
    }

    private void PushReturnAddress(ref GuestInstruction instruction)
    {
        HostAddress to = EmitStackAccess(ref instruction);
        ulong address = instruction.Code.NextIP;
        if ((long)address == (int)address)
        {
            _emitter.Store(in to, (int)address);
        }
        else
        {
            _emitter.Move(RegisterMap.Scratch2, address);
            _emitter.Store(in to, RegisterMap.Scratch2);
        }

        MoveStack(-Word);
    }

    private void MoveTarget(in Instruction code)
    {
        int guest = code.Op0Register.GetNumber();
        HostRegister from = LoadGuest(guest, RegisterMap.Scratch);
        if (from != RegisterMap.Scratch)
            _emitter.Move(RegisterMap.Scratch, from);
    }

    /// <summary>Keeps an operand's value over the next check.</summary>
    private void Hold(in HostAddress operand)
    {
        _emitter.Load(RegisterMap.Scratch2, in operand);
        _emitter.Store(HostAddress.Context(ContextOffsets.Held), RegisterMap.Scratch2);
    }

    private void MoveStack(int distance) => _emitter.Lea(RegisterMap.Stack, HostAddress.At(RegisterMap.Stack, distance));
}
