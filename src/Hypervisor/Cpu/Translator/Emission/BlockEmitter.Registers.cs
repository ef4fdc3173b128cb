using System.Diagnostics;
using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Register operands of re-encoded instructions.</summary>
internal sealed partial class BlockEmitter
{
    private readonly InstructionInfoFactory _information = new();

    /// <summary>Puts host registers in the place of guest registers. Returns how many displaced ones there are.</summary>
    private int RenameRegisters(in Instruction guest, ref Instruction host, bool memory, HostRegister rotated, Span<Displaced> displaced)
    {
        int count = guest.Encoding == EncodingKind.VEX ? PlaceDisplaced(in guest, memory, displaced) : 0;
        for (int i = 0; i < guest.OpCount; i++)
        {
            if (guest.GetOpKind(i) != OpKind.Register)
                continue;
            Register register = guest.GetOpRegister(i);
            if (!register.IsGPR())
                continue;
            if (register is >= Register.AH and <= Register.BH)
            {
                if (rotated != HostRegister.None)
                    host.SetOpRegister(i, Register.AL + (int)rotated);
                continue;
            }

            int number = register.GetFullRegister().GetNumber();
            HostRegister to = RegisterMap.HostOf(number);
            if (RegisterMap.IsDisplaced(number))
            {
                OpAccess access = AccessOf(in guest, i);
                int known = Find(displaced[..count], number);
                if (known < 0)
                {
                    known = count++;
                    displaced[known] = new Displaced { Guest = number, Host = memory || known == 1 ? RegisterMap.Scratch2 : RegisterMap.Scratch };
                }

                displaced[known].Loads |= access != OpAccess.Write || register.GetSize() < sizeof(uint);
                displaced[known].Stores |= access is not (OpAccess.Read or OpAccess.CondRead or OpAccess.None);
                to = displaced[known].Host;
            }

            host.SetOpRegister(i, Sized(to, register.GetSize()));
        }

        return count;
    }

    /// <summary>
    /// Chooses places for the displaced registers of an instruction with VEX encoding, which may have three: sources first, then results, which may take
    /// the place of a source or of the operand's address, because they are written last. Returns how many there are.
    /// </summary>
    private int PlaceDisplaced(in Instruction guest, bool memory, Span<Displaced> displaced)
    {
        int count = 0;
        for (int pass = 0; pass < 2; pass++)
        {
            bool results = pass == 1;
            for (int i = 0; i < guest.OpCount; i++)
            {
                if (guest.GetOpKind(i) != OpKind.Register || !guest.GetOpRegister(i).IsGPR())
                    continue;
                int number = guest.GetOpRegister(i).GetFullRegister().GetNumber();
                if (!RegisterMap.IsDisplaced(number) || Find(displaced[..count], number) >= 0 || (AccessOf(in guest, i) == OpAccess.Write) != results)
                    continue;
                HostRegister to = results ? FreeForResult(displaced[..count]) : memory || count == 1 ? RegisterMap.Scratch2 : RegisterMap.Scratch;
                displaced[count++] = new Displaced { Guest = number, Host = to, Stores = results };
            }
        }

        return count;
    }

    /// <summary>
    /// Says whether the upper halves of vector registers are in use, before the first instruction of a block that may write them, and at each that clears them:
    /// so that the ways in and out need not look at them.
    /// </summary>
    private void NoteUpperHalves(in Instruction code)
    {
        bool clears = code.Mnemonic is Mnemonic.Vzeroupper or Mnemonic.Vzeroall;
        if (!clears && (_upperHalvesAreNoted || !code.HasYmm()))
            return;
        _emitter.Store(HostAddress.Context(ContextOffsets.UpperHalvesInUse), clears ? 0 : 1, wide: false);
        _upperHalvesAreNoted = !clears;
    }

    private static HostRegister FreeForResult(ReadOnlySpan<Displaced> displaced)
    {
        foreach (Displaced other in displaced)
        {
            if (other.Stores && other.Host == RegisterMap.Scratch2)
                return RegisterMap.Scratch;
        }

        return RegisterMap.Scratch2;
    }

    private OpAccess AccessOf(in Instruction guest, int operand) =>
        _information.GetInfo(in guest, InstructionInfoOptions.NoMemoryUsage | InstructionInfoOptions.NoRegisterUsage).GetOpAccess(operand);

    private static int Find(ReadOnlySpan<Displaced> displaced, int guest)
    {
        for (int i = 0; i < displaced.Length; i++)
        {
            if (displaced[i].Guest == guest)
                return i;
        }

        return -1;
    }

    /// <summary>A register's name in a size. <b>Units</b>: bytes.</summary>
    public static Register Sized(HostRegister register, int size)
    {
        const int FirstWithPrefix = 4;
        int number = (int)register;
        Debug.Assert(number < 16, "not a register");
        return size switch
        {
            1 => number < FirstWithPrefix ? Register.AL + number : Register.SPL + (number - FirstWithPrefix),
            2 => Register.AX + number,
            4 => Register.EAX + number,
            _ => Register.RAX + number,
        };
    }

    /// <summary>A displaced register of an instruction, and where it is meanwhile.</summary>
    private struct Displaced
    {
        public int Guest;
        public HostRegister Host;
        public bool Loads;
        public bool Stores;
    }
}
