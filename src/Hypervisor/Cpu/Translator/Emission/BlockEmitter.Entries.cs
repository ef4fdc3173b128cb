using Iced.Intel;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>The entries of a block, and its exits.</summary>
internal sealed partial class BlockEmitter
{
    /// <param name="readsFlags">The host's flags must be the guest's when the body begins.</param>
    /// <param name="leavesFlags">The flags that the block is entered with are still the guest's when it is left for another page.</param>
    private void EmitEntries(bool readsFlags, bool leavesFlags)
    {
        ulong rip = _translated.Rip;
        _translated.Indirect = _emitter.Position;
        EmitAddressCheck(rip);
        _translated.Far = _emitter.Position;
        EmitPageCheck(rip, _translated.Frame);
        if (_translated.CrossesPage)
            EmitPageCheck((rip | Page.OffsetMask) + 1, _translated.Tail);
        int saved = _emitter.Position;
        _emitter.Compare(HostAddress.Context(ContextOffsets.Requests), 0, wide: false);
        AddRipCold(_trampolines.Event);
        _translated.Saved = _emitter.Position;
        if (readsFlags)
            FlagSaving.Restore(_emitter);
        _flagsAreSaved = leavesFlags;
        if (!readsFlags && !leavesFlags)
        {
            _translated.Backward = saved;
            _translated.Body = _emitter.Position;
            return;
        }

        int begin = _emitter.Jump();
        _translated.Backward = _emitter.Position;
        FlagSaving.Save(_emitter);
        _emitter.JumpTo(saved);
        _translated.Body = _emitter.Position;
        if (leavesFlags)
            FlagSaving.Save(_emitter);
        _emitter.Bind(begin);
    }

    /// <summary>Compares the address in the first scratch register with the block's.</summary>
    private void EmitAddressCheck(ulong rip)
    {
        if ((long)rip == (int)rip)
        {
            _emitter.Compare(RegisterMap.Scratch, (int)rip);
        }
        else
        {
            _emitter.Move(RegisterMap.Scratch2, rip);
            _emitter.Compare(RegisterMap.Scratch, RegisterMap.Scratch2);
        }

        _emitter.JumpTo(HostCondition.NotEqual, _trampolines.Lookup);
    }

    /// <summary>Compares what the TLB says of a code page with what it was when the block was translated.</summary>
    private void EmitPageCheck(ulong address, Mfn frame)
    {
        _emitter.Move(RegisterMap.Scratch2, SoftTlb.CodeKeyOf(address, frame));
        _emitter.Compare(RegisterMap.Scratch2, HostAddress.Context(_tlb + ContextOffsets.CodeKeys + (SoftTlb.CodeIndexOf(address) * sizeof(ulong))));
        AddRipCold(_trampolines.Lookup);
    }

    /// <summary>Leaves by a trampoline with the block's own address, if the comparison before was unequal. Flags are saved.</summary>
    private void AddRipCold(int trampoline) => AddCold(new ColdPath { From = _emitter.Jump(HostCondition.NotEqual), Trampoline = trampoline });

    /// <summary>Where the entries lead when the block is void.</summary>
    private void EmitGone()
    {
        _translated.GoneKeepingFlags = _emitter.Position;
        FlagSaving.Save(_emitter);
        _translated.Gone = _emitter.Position;
        _emitter.Move(RegisterMap.Scratch, _translated.Rip);
        _emitter.JumpTo(_trampolines.Lookup);
    }

    private void AddCold(in ColdPath path) => _cold.Add(path);

    /// <summary>Leaves the block for a known address.</summary>
    private void LeaveDirect(ulong target, bool near)
    {
        if (!near)
            SaveFlags();
        AddCold(new ColdPath
        {
            From = _emitter.Jump(),
            Exit = new BlockExit { Kind = BlockExitKind.Direct, FlagsAreSaved = !near, Rip = target },
        });
    }

    /// <summary>Leaves the block for the engine, with all flags.</summary>
    private void LeaveTo(BlockExit exit)
    {
        SaveFlags();
        exit.FlagsAreSaved = true;
        exit.Live = InstructionClassifier.Arithmetic;
        AddCold(new ColdPath { From = _emitter.Jump(), Exit = exit });
    }

    /// <summary>Sees to it that the flags are saved, while they are in the host's. Changes the second scratch register.</summary>
    private void SaveFlags()
    {
        if (!_flagsAreSaved)
            FlagSaving.Save(_emitter);
        _flagsAreSaved = true;
    }

    /// <summary>Sees to it that the host's flags can be changed before an instruction. False: they cannot. Changes the second scratch register.</summary>
    private bool TryFreeFlags(in GuestInstruction instruction)
    {
        if (instruction.Live != RflagsBits.None)
            return false;
        if (instruction.LeavesFlags)
            SaveFlags();
        return true;
    }

    /// <summary>An exit before an instruction, whose flags are as they are now.</summary>
    private BlockExit ExitAt(in GuestInstruction instruction, BlockExitKind kind) => new()
    {
        Kind = kind,
        Code = instruction.Code.Code,
        FlagsAreSaved = _flagsAreSaved,
        Live = instruction.LeavesFlags ? InstructionClassifier.Arithmetic : instruction.Live,
        Rip = instruction.Code.IP,
    };

    private void EmitCold(in ColdPath path)
    {
        int start = _emitter.Position;
        _emitter.Bind(path.From);
        if (path.Trampoline != 0)
        {
            _emitter.Move(RegisterMap.Scratch, _translated.Rip);
            _emitter.JumpTo(path.Trampoline);
            return;
        }

        _places?.Add((_emitter.Position, path.Exit.Rip));
        if (path.RestoresCounter)
            _emitter.Load(HostRegister.Rcx, HostAddress.Context(ContextOffsets.Borrowed));
        if (path.RestoresFlags)
            FlagSaving.Restore(_emitter);
        BlockExit exit = path.Exit;
        exit.Block = _number;
        exit.Site = path.From;
        if (exit.Kind == BlockExitKind.Direct)
            exit.Resume = start;
        if (path.SavesFlags)
        {
            FlagSaving.Save(_emitter);
            exit.Site = _emitter.Jump();
            _emitter.Bind(exit.Site);
            exit.Resume = _emitter.Position;
        }

        // From here on the state is exact, and the exit can be made a jump to a block for the same address.
        if (exit.Kind == BlockExitKind.GroupMiss)
            exit.Site = _emitter.Position;
        if (path.ConstantAddress != 0)
            _emitter.Move(RegisterMap.Scratch, path.ConstantAddress);
        EmitExitId(_cache.AddExit(in exit));
        if (exit.Kind is BlockExitKind.Miss or BlockExitKind.GroupMiss)
            _emitter.JumpTo(path.KeepsFlags ? _trampolines.MissKeepingFlags : _trampolines.Miss);
        else
            _emitter.JumpTo(exit.FlagsAreSaved ? _trampolines.ExitWithSavedFlags : _trampolines.Exit);
    }

    private void EmitExitId(int id) => _emitter.Store(HostAddress.Context(ContextOffsets.ExitId), id, wide: false);

    /// <summary>Writes the start of a group's failed check again, over the jump that it was made.</summary>
    public void RestoreCareful(int site, int id)
    {
        _emitter.MoveTo(site, site + MaxColdSize);
        EmitExitId(id);
    }
}
