using Xen.Abi;

namespace Xen.Cpu;

/// <summary>The entries of a block, and its exits.</summary>
internal sealed partial class BlockEmitter
{
    private void EmitEntries(bool flagsLive)
    {
        ulong rip = _translated.Rip;
        _translated.Indirect = _emitter.Position;
        if (flagsLive)
            FlagSaving.Save(_emitter);
        if ((long)rip == (int)rip)
        {
            _emitter.Compare(RegisterMap.Scratch, (int)rip);
        }
        else
        {
            _emitter.Move(RegisterMap.Scratch2, rip);
            _emitter.Compare(RegisterMap.Scratch, RegisterMap.Scratch2);
        }

        AddCold(new ColdPath { From = _emitter.Jump(HostCondition.NotEqual), Trampoline = _trampolines.Lookup, RestoresFlags = flagsLive });
        if (flagsLive)
            FlagSaving.Restore(_emitter);

        _translated.Far = _emitter.Position;
        if (flagsLive)
            FlagSaving.Save(_emitter);
        EmitPageCheck(rip, _translated.Frame, flagsLive);
        if (_translated.CrossesPage)
            EmitPageCheck((rip | Page.OffsetMask) + 1, _translated.Tail, flagsLive);
        if (flagsLive)
            FlagSaving.Restore(_emitter);

        _translated.Backward = _emitter.Position;
        if (flagsLive)
            FlagSaving.Save(_emitter);
        _emitter.Compare(HostAddress.Context(ContextOffsets.Requests), 0, wide: false);
        AddRipCold(_trampolines.Event, flagsLive);
        if (flagsLive)
            FlagSaving.Restore(_emitter);
        _translated.Body = _emitter.Position;
    }

    /// <summary>Compares what the TLB says of a code page with what it was when the block was translated.</summary>
    private void EmitPageCheck(ulong address, Mfn frame, bool flagsLive)
    {
        _emitter.Move(RegisterMap.Scratch2, SoftTlb.CodeKeyOf(address, frame));
        _emitter.Compare(RegisterMap.Scratch2, HostAddress.Context(_tlb + ContextOffsets.CodeKeys + (SoftTlb.CodeIndexOf(address) * sizeof(ulong))));
        AddRipCold(_trampolines.Lookup, flagsLive);
    }

    /// <summary>Leaves by a trampoline with the block's own address, if the comparison before was unequal.</summary>
    private void AddRipCold(int trampoline, bool flagsLive) => AddCold(new ColdPath
    {
        From = _emitter.Jump(HostCondition.NotEqual),
        Trampoline = trampoline,
        RestoresFlags = flagsLive,
        Exit = new BlockExit { Rip = _translated.Rip, Site = 1 },
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
            if (path.Exit.Site != 0)
                _emitter.Move(RegisterMap.Scratch, path.Exit.Rip);
            _emitter.JumpTo(path.Trampoline);
            return;
        }

        if (path.RestoresFlags)
            FlagSaving.Restore(_emitter);

        // From here on the state is exact, and the exit can be made a jump to a block for the same address.
        int exact = _emitter.Position;
        if (path.Missed != MissedAddress.None)
        {
            if (path.Missed == MissedAddress.Operand)
                EmitOperandAddress(in path.Code);
            else if (path.Missed == MissedAddress.Bit)
                EmitBitAddress(in path.Code, keepFlags: true);
            else
                EmitBaseAddress(path.Base, path.Displacement);
            _emitter.Store(HostAddress.Context(ContextOffsets.Target), RegisterMap.Scratch);
        }

        BlockExit exit = path.Exit;
        exit.Site = exit.Kind == BlockExitKind.GroupMiss ? exact : path.From;
        exit.Block = _number;
        _emitter.Store(HostAddress.Context(ContextOffsets.ExitId), _cache.AddExit(in exit), wide: false);
        _emitter.JumpTo(_trampolines.Exit);
    }
}
