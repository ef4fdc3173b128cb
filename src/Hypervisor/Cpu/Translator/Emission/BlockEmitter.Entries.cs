using Iced.Intel;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>The entries of a block, and its exits.</summary>
internal sealed partial class BlockEmitter
{
    private void EmitEntries(bool flagsLive)
    {
        ulong rip = _translated.Rip;
        _translated.Far = _emitter.Position;
        EmitPageCheck(rip, _translated.Frame);
        if (_translated.CrossesPage)
            EmitPageCheck((rip | Page.OffsetMask) + 1, _translated.Tail);
        int known = _emitter.Jump();

        _translated.Indirect = _emitter.Position;
        EmitAddressCheck(rip);

        _emitter.Bind(known);
        _translated.Backward = _emitter.Position;
        if (flagsLive)
            FlagSaving.Save(_emitter);
        _emitter.Compare(HostAddress.Context(ContextOffsets.Requests), 0, wide: false);
        AddRipCold(_trampolines.Event, flagsLive);
        if (flagsLive)
            FlagSaving.Restore(_emitter);
        _translated.Body = _emitter.Position;
    }

    /// <summary>
    /// Compares the address in the first scratch register with the block's. It may be another block's, to which flags are alive that are dead
    /// here: so they are left alone.
    /// </summary>
    private void EmitAddressCheck(ulong rip)
    {
        const HostRegister counter = HostRegister.Rcx;
        long distance = -(long)rip;
        if (distance != (int)distance)
            _emitter.Move(RegisterMap.Delta, (ulong)distance);
        _emitter.Move(RegisterMap.Scratch2, counter);
        _emitter.Lea(counter, distance == (int)distance ? HostAddress.At(RegisterMap.Scratch, (int)distance) : new HostAddress(RegisterMap.Scratch, RegisterMap.Delta, 0, 0));
        int good = _emitter.JumpIfRcxZero();
        _emitter.Move(counter, RegisterMap.Scratch2);
        _emitter.JumpTo(_trampolines.Lookup);
        _emitter.BindShort(good);
        _emitter.Move(counter, RegisterMap.Scratch2);
    }

    /// <summary>
    /// Compares what the TLB says of a code page with what it was when the block was translated. The flags are left alone, for
    /// the code that is there instead.
    /// </summary>
    private void EmitPageCheck(ulong address, Mfn frame)
    {
        const HostRegister counter = HostRegister.Rcx;
        _emitter.Move(RegisterMap.Scratch2, counter);
        _emitter.Move(counter, 0 - SoftTlb.CodeKeyOf(address, frame));
        _emitter.Load(RegisterMap.Delta, HostAddress.Context(_tlb + ContextOffsets.CodeKeys + (SoftTlb.CodeIndexOf(address) * sizeof(ulong))));
        _emitter.Lea(counter, new HostAddress(counter, RegisterMap.Delta, 0, 0));
        int good = _emitter.JumpIfRcxZero();
        _emitter.Move(counter, RegisterMap.Scratch2);
        _emitter.Move(RegisterMap.Scratch, _translated.Rip);
        _emitter.JumpTo(_trampolines.Lookup);
        _emitter.BindShort(good);
        _emitter.Move(counter, RegisterMap.Scratch2);
    }

    /// <summary>Leaves by a trampoline with the block's own address, if the comparison before was unequal.</summary>
    private void AddRipCold(int trampoline, bool flagsLive) => AddCold(new ColdPath
    {
        From = _emitter.Jump(HostCondition.NotEqual),
        Trampoline = trampoline,
        RestoresFlags = flagsLive,
    });

    private void AddCold(in ColdPath path) => _cold.Add(path);

    /// <summary>Leaves the block for a known address.</summary>
    private void LeaveDirect(ulong target) => AddCold(new ColdPath
    {
        From = _emitter.Jump(),
        Exit = new BlockExit { Kind = BlockExitKind.Direct, Rip = target },
    });

    /// <summary>Leaves the block for the engine.</summary>
    private void LeaveTo(BlockExit exit) => AddCold(new ColdPath { From = _emitter.Jump(), Exit = exit });

    private void EmitCold(in ColdPath path)
    {
        _emitter.Bind(path.From);
        if (path.RestoresCounter)
            _emitter.Load(HostRegister.Rcx, HostAddress.Context(ContextOffsets.Borrowed));
        if (path.Trampoline != 0)
        {
            if (path.RestoresFlags)
                FlagSaving.Restore(_emitter);
            _emitter.Move(RegisterMap.Scratch, _translated.Rip);
            _emitter.JumpTo(path.Trampoline);
            return;
        }

        if (path.RestoresFlags)
            FlagSaving.Restore(_emitter);

        // From here on the state is exact, and the exit can be made a jump to a block for the same address.
        int exact = _emitter.Position;
        if (path.Exit.Kind is BlockExitKind.Miss or BlockExitKind.GroupMiss)
            EmitFill(in path);

        BlockExit exit = path.Exit;
        exit.Site = exit.Kind == BlockExitKind.GroupMiss ? exact : path.From;
        exit.Block = _number;
        _emitter.Store(HostAddress.Context(ContextOffsets.ExitId), _cache.AddExit(in exit), wide: false);
        _emitter.JumpTo(_trampolines.Exit);
    }

    /// <summary>Has the TLB filled for what missed, and repeats the check; goes on here if that cannot be.</summary>
    private void EmitFill(in ColdPath path)
    {
        bool keep = path.Exit.Live != RflagsBits.None;
        switch (path.Missed)
        {
            case MissedAddress.Operand:
                EmitOperandAddress(in path.Code);
                break;
            case MissedAddress.Bit:
                EmitBitAddress(in path.Code, keepFlags: keep);
                break;
            default:
                EmitBaseAddress(path.Base, path.Displacement);
                break;
        }

        _emitter.Store(HostAddress.Context(ContextOffsets.Target), RegisterMap.Scratch);
        if (keep)
            FlagSaving.Save(_emitter);
        _emitter.Move(RegisterMap.Scratch2, MissRequest.Of(path.Exit.Size, path.Exit.Writes));
        _emitter.CallTo(_trampolines.Miss);
        _emitter.Compare(RegisterMap.Scratch, 0);
        int failed = _emitter.Jump(HostCondition.Equal);
        if (keep)
            FlagSaving.Restore(_emitter);
        _emitter.JumpTo(path.Exit.Resume);
        _emitter.Bind(failed);
        if (keep)
            FlagSaving.Restore(_emitter);
    }
}
