using System.Diagnostics;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>What the engine looks at in the vCPU's state: requests, the kind of code that may run, translations.</summary>
public sealed partial class Translator
{
    private const int Nowhere = -1;

    /// <summary>The masks of MXCSR's exceptions. Unmasked ones would reach the host.</summary>
    private const uint MaskedExceptions = 0x1F80;

    /// <summary>Ticks between two looks at frames whose code was written too often.</summary>
    private const int TicksToForgive = 100;

    private BlockVariant _variant;
    private long _seenChanges;
    private int _ticks;

    /// <summary>What is left of the budget. The first tick may come at once.</summary>
    private long _ticksLeft;

    /// <summary>Whether the guest's state asks for more than emitted code does: single steps, unmasked exceptions of SSE.</summary>
    private bool MustInterpret =>
        (_state.Registers.Rflags & RFlag.Trap) != 0 || (_state.Registers.Mxcsr & MaskedExceptions) != MaskedExceptions;

    /// <summary>Takes requests. True: the run has ended.</summary>
    private bool TakeRequests()
    {
        bool kick = _state.TakeFlush();
        int mine = _state.TakeEngineRequests();
        if ((mine & VcpuState.RequestCode) != 0)
            DropWrittenCode();
        if (kick)
        {
            End(new CpuExit(CpuExitReason.Request));
        }
        else if ((mine & VcpuState.RequestTick) != 0)
        {
            if (++_ticks % TicksToForgive == 0)
                _cache.ForgiveWrites();
            if (--_ticksLeft <= 0)
                End(new CpuExit(CpuExitReason.BudgetSpent));
        }

        return _ended;
    }

    /// <summary>Voids the code of frames that were written since the last time.</summary>
    private void DropWrittenCode()
    {
        Span<CodeChange> changes = stackalloc CodeChange[64];
        while (true)
        {
            int count = _state.Code.ReadChanges(ref _seenChanges, changes);
            if (count < 0)
            {
                foreach (Mfn frame in _cache.Frames.ToArray())
                    _cache.Invalidate(frame, CodeChange.AllLines);
                return;
            }

            foreach (CodeChange change in changes[..count])
            {
                if (_cache.Invalidate(change.Frame, change.Lines))
                    Statistics.WrittenFrames++;
            }

            if (count < changes.Length)
                return;
        }
    }

    /// <summary>The block at an address. Negative: there is none, and the interpreter is to go on, or the run has ended by a fault.</summary>
    private int Find(ulong rip, BlockVariant kind)
    {
        if (!_interpreter.TryFetch(rip, out Mfn frame, out CpuExit fault))
        {
            End(fault);
            return Nowhere;
        }

        BlockVariant variant = _variant | kind;
        int block = _cache.Find(rip, frame, variant);
        if (block >= 0 && _cache.Block(block).CrossesPage && !TailIsCurrent(block))
        {
            if (_ended)
                return Nowhere;
            _cache.Kill(block);
            block = Nowhere;
        }

        return block >= 0 ? block : _cache.WritesOf(frame) > MaxCodeWrites ? Nowhere : Translate(rip, variant);
    }

    /// <summary>Whether a crossing block's second page still is what it was. If it cannot be fetched at all, the run ends.</summary>
    private bool TailIsCurrent(int block)
    {
        if (_interpreter.TryFetch(NextPage(_cache.Block(block).Rip), out Mfn tail, out CpuExit fault))
            return tail == _cache.Block(block).Tail;
        End(fault);
        return false;
    }

    private static ulong NextPage(ulong rip) => (rip | Page.OffsetMask) + 1;

    private int Translate(ulong rip, BlockVariant variant)
    {
        if (!_interpreter.TryFetchForDecoding(rip, out Mfn frame, out CpuExit fault))
        {
            End(fault);
            return Nowhere;
        }

        // Marking may have let other vCPUs write.
        if (_state.HasRequests)
            DropWrittenCode();
        if (!_cache.HasRoom)
            Evict();

        if (_superblock.TryDecode(rip, frame, variant))
            return Emit(rip, frame, Mfn.Invalid, variant);
        if (!_interpreter.TryFetchForDecoding(NextPage(rip), out Mfn tail, out fault))
        {
            End(fault);
            return Nowhere;
        }

        // The second page may have cost the first one its place, or more time than it takes to change it.
        bool same = _interpreter.TryFetch(rip, out Mfn again, out _) && again == frame && !_state.HasRequests;
        return same && _superblock.TryDecodeCrossing(rip, frame, tail, variant)
            ? Emit(rip, frame, tail, variant) : Nowhere;
    }

    private void Evict()
    {
        long start = Stopwatch.GetTimestamp();
        if (_cache.Evict())
            Statistics.CountEviction(Stopwatch.GetElapsedTime(start));
    }

    private int Emit(ulong rip, Mfn frame, Mfn tail, BlockVariant variant)
    {
        Statistics.Blocks++;
        Statistics.Instructions += _superblock.Instructions.Length;
        try
        {
            return _cache.Translator.Emit(_superblock, rip, frame, tail, variant, interpretOnly: false);
        }
        catch (UntranslatableException)
        {
            return _cache.Translator.Emit(_superblock, rip, frame, tail, variant, interpretOnly: true);
        }
        finally
        {
            Statistics.CodeUsed = _cache.Used;
        }
    }

    /// <summary>Fills the TLB for an access within a page. False: the access faults, or is more than memory; the interpreter sees to it.</summary>
    private bool TryFill(ulong address, int size, bool write)
    {
        SoftTlb tlb = _state.Tlb;
        bool known = write ? tlb.CanWrite(address) : tlb.CanRead(address);
        if (known || (address & Page.OffsetMask) + (ulong)size > Page.Size || (ulong)((long)(address << 16) >> 16) != address)
            return false;
        Translation translation = PageWalker.Walk(_state.Memory, _state.Root, address, write ? MemoryAccess.Write : MemoryAccess.Read);
        if (!translation.Present || !_state.Environment.MayAccess(translation.Frame, write))
            return false;
        bool code = _state.Code.HasCode(translation.Frame);
        if (write && code)
            return false;
        nint host = _state.Memory.HostBase + (nint)translation.Frame.Address;
        if (Shadows is not null && !TryMapShadow(tlb, translation.Frame, write, ref host))
            return false;
        bool writable = translation.Writable && !code && (write || Shadows is null);
        tlb.Fill(address, host, writable);
        return true;
    }
}
