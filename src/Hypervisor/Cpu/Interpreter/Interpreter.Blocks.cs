using System.Runtime.CompilerServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>From block to block: chaining, look-up, decoding.</summary>
public sealed partial class Interpreter
{
    private const int JumpCacheSize = 4096;

    /// <summary>Where indirect branches went, by target.</summary>
    private readonly BlockRef[] _jumpCache = new BlockRef[JumpCacheSize];

    /// <summary>Leaves the current block for the one behind its last op.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref MicroOp GoNext(ref RegisterFile r, ulong target)
    {
        _remaining -= _current.Value.InstructionCount;
        BlockRef block = _current.Value.Next;
        if (block.IsNone || !IsCurrent(block))
            return ref ResolveNext(ref r, target);
        _current = block;
        return ref block.First;
    }

    /// <summary>Leaves the current block by its direct branch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref MicroOp GoTaken(ref RegisterFile r, ulong target)
    {
        _remaining -= _current.Value.InstructionCount;
        BlockRef block = _current.Value.Taken;
        if (block.IsNone || !IsCurrent(block))
            return ref ResolveTaken(ref r, target);
        _current = block;
        return ref block.First;
    }

    /// <summary>Leaves the current block for a computed address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref MicroOp GoIndirect(ref RegisterFile r, ulong target)
    {
        _remaining -= _current.Value.InstructionCount;
        BlockRef block = _jumpCache[JumpSlot(target)];
        if (block.IsNone || block.Value.Rip != target || !IsCurrent(block))
            return ref ResolveIndirect(ref r, target);
        _current = block;
        return ref block.First;
    }

    private static int JumpSlot(ulong target) => (int)(target ^ (target >> 12)) & (JumpCacheSize - 1);

    /// <summary>Whether a block may be entered without a look-up; also false when something else needs attention first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsCurrent(BlockRef block) =>
        block.Value.Stamp == _stamp && block.IsUnwritten && !_state.HasRequests && _remaining > 0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref MicroOp ResolveNext(ref RegisterFile r, ulong target)
    {
        BlockRef from = _current;
        if (!TryGo(ref r, target))
            return ref Handler.None;
        from.Value.Next = _current;
        return ref _current.First;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref MicroOp ResolveTaken(ref RegisterFile r, ulong target)
    {
        BlockRef from = _current;
        if (!TryGo(ref r, target))
            return ref Handler.None;
        from.Value.Taken = _current;
        return ref _current.First;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref MicroOp ResolveIndirect(ref RegisterFile r, ulong target)
    {
        if (!TryGo(ref r, target))
            return ref Handler.None;
        _jumpCache[JumpSlot(target)] = _current;
        return ref _current.First;
    }

    /// <summary>Goes on at an address; not when single steps are to be reported.</summary>
    private bool TryGo(ref RegisterFile r, ulong target)
    {
        r.Rip = target;
        return (r.Rflags & RFlag.Trap) == 0 && TryEnter(ref r);
    }

    /// <summary>Makes the block at rip the current one. False: the run ends, for the reason recorded.</summary>
    private bool TryEnter(ref RegisterFile r)
    {
        if (_state.HasRequests)
        {
            bool kick = _state.TakeFlush();
            UseTlb();
            if (kick && !DefersKicks)
            {
                Leave(new CpuExit(CpuExitReason.Request));
                return false;
            }
        }

        if (_remaining <= 0)
        {
            Leave(new CpuExit(CpuExitReason.BudgetSpent));
            return false;
        }

        if (!TryFindBlock(r.Rip, out BlockRef block))
        {
            _exiting = true;
            return false;
        }

        _current = block;
        return true;
    }

    private bool TryFindBlock(ulong rip, out BlockRef block)
    {
        block = default;
        if (!TryFetchFrame(rip, out Mfn frame))
            return false;
        bool single = _single;
        _single = false;
        if (!single)
        {
            block = _blocks.Find(rip, frame, _state.Code);
            if (!block.IsNone && block.Value.CrossesPage
                && (!TryFetchFrame((rip | Page.OffsetMask) + 1, out Mfn tail) || tail != block.Value.TailFrame))
            {
                block = default;
            }
        }

        if (block.IsNone && !TryDecode(rip, single, out block))
            return false;
        if (_stop - rip - 1 < (ulong)block.Value.Length - 1 && !TryDecode(rip, single: true, out block))
            return false;
        if (!block.Value.CrossesPage)
            block.Value.Stamp = _stamp;
        return true;
    }

    /// <summary>Decodes a block; a single one has one instruction and is not found again. False: the fetch of its first instruction faults, as recorded.</summary>
    private bool TryDecode(ulong rip, bool single, out BlockRef block)
    {
        block = default;
        Mfn frame, tail;
        uint word, tailWord;
        if (Host is { HasRoom: false })
        {
            // No op of any block runs now, and none of those there are will.
            _blocks.Clear();
            Array.Clear(_jumpCache);
            Host.Clear();
        }

        while (true)
        {
            if (!TryMarkCode(rip, out frame, out word, out _))
                return false;
            (tail, tailWord) = (frame, word);
            int offset = (int)(rip & Page.OffsetMask);
            ReadOnlySpan<byte> code = _state.Memory.Frame(frame)[offset..];
            if (TryDecodeMarked(rip, frame, code, single ? 1 : BlockDecoder.MaxInstructions))
                break;

            // The first instruction continues on the next page.
            if (!TryMarkCode((rip | Page.OffsetMask) + 1, out tail, out tailWord, out bool left))
                return false;
            if (left)
                continue; // the first page's translation may have changed meanwhile
            _state.Code.MarkLines(frame, CodeMap.LinesIn(offset, Page.Size - offset));
            _state.Code.MarkLines(tail, CodeMap.LinesIn(0, CodeMap.LineSize));
            _decoder.TryDecode(rip, code, _state.Memory.Frame(tail), 1);
            break;
        }

        var decoded = new Block
        {
            Rip = rip,
            Frame = frame,
            CodeWord = _state.Code.AddressOf(frame),
            Word = word,
            TailFrame = tail,
            TailWord = tailWord,
            InstructionCount = _decoder.InstructionCount,
            OpCount = _decoder.Ops.Length,
            Length = _decoder.Length,
        };
        block = _blocks.Add(in decoded, _decoder.Ops, !single, out bool emptied);
        if (emptied)
            Array.Clear(_jumpCache);
        return true;
    }

    /// <summary>Decodes after marking the lines that the block takes; which ones is known for certain when it is decoded. False: the first instruction continues on the next page.</summary>
    private bool TryDecodeMarked(ulong rip, Mfn frame, ReadOnlySpan<byte> code, int maxInstructions)
    {
        int marked = Math.Min(CodeMap.LineSize, code.Length);
        while (true)
        {
            _state.Code.MarkLines(frame, CodeMap.LinesIn((int)(rip & Page.OffsetMask), marked));
            if (!_decoder.TryDecode(rip, code, default, maxInstructions))
                return false;
            if (_decoder.Length <= marked)
                return true;
            marked = Math.Min(_decoder.Length, code.Length);
            if (_decoder.Length > code.Length)
                return true;
        }
    }

    /// <summary>
    /// Translates for a fetch and says that code of the frame is about to be decoded, so that writes to it are seen from now on. That may need
    /// leaving the guest, after which no translation made before holds: then the address is translated again. False: the fault is recorded.
    /// </summary>
    private bool TryMarkCode(ulong address, out Mfn frame, out uint word, out bool left)
    {
        left = false;
        word = 0;
        while (TryFetchFrame(address, out frame))
        {
            word = _state.Code.MarkCode(frame, out bool fresh);
            if (!fresh)
                return true;
            nint host = _state.Memory.HostBase + (nint)frame.Address;
            _state.KernelTlb.RevokeWrites(host);
            _state.UserTlb.RevokeWrites(host);
            _state.LeaveGuest();
            _state.Environment.RevokeWrites(_state, frame);
            _state.EnterGuest();
            UseTlb();
            left = true;
        }

        return false;
    }
}
