using System.Buffers.Binary;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>The slow paths of memory access: TLB fills, faults, operands that cross pages, writes to page tables.</summary>
public sealed partial class Interpreter
{
    /// <summary>A read-modify-write operand that is not simply in memory; see <see cref="Modify{T}"/>.</summary>
    private readonly byte[] _bounce = new byte[64];
    private ulong _bounceAddress;
    private int _bounceSize;
    private LazyFlags _flagsBeforeBounce;

    /// <summary>The page table that the bounce buffer is to be written to, or invalid: it goes to two pages.</summary>
    private Mfn _bounceTable;

    /// <summary>The operand must still be what was read when the bounce buffer is written back.</summary>
    private bool _bounceCompares;
    private ulong _bounceExpected;

    /// <summary>The frame of the last write that failed only for write protection, and may be a page table.</summary>
    private Mfn _protected = Mfn.Invalid;

    /// <summary>Frames with code may be written and stay marked: only where one block is executed at a time, after which the lines are looked at.</summary>
    private bool _mayWriteInto;

    /// <summary>What the block has written in frames with code.</summary>
    private readonly (Mfn Frame, int Offset, int Size)[] _written = new (Mfn, int, int)[16];

    private int _writtenCount;

    /// <summary>The fault just recorded is none: execute the instruction again.</summary>
    private bool _retry;

    /// <summary>Ends a read-modify-write. False: it did not happen; flags are as before, the fault is recorded.</summary>
    internal bool Commit() => _bounceSize == 0 || CommitBounce();

    /// <summary>Reads bytes of any length. False: the fault is recorded; part of the destination may have been written.</summary>
    internal bool ReadBytes(ulong address, Span<byte> destination)
    {
        while (true)
        {
            int offset = (int)(address & Page.OffsetMask);
            int count = Math.Min(destination.Length, Page.Size - offset);
            if (!TryFrame(address, count, MemoryAccess.Read, out Mfn frame))
                return false;
            FrameAt(frame).Slice(offset, count).CopyTo(destination);
            if (count == destination.Length)
                return true;
            destination = destination[count..];
            address += (uint)count;
        }
    }

    /// <summary>Writes up to a page of bytes, all or nothing. False: the fault is recorded.</summary>
    internal bool WriteBytes(ulong address, ReadOnlySpan<byte> source)
    {
        int offset = (int)(address & Page.OffsetMask);
        int count = Math.Min(source.Length, Page.Size - offset);
        if (!TryFrame(address, count, MemoryAccess.Write, out Mfn first))
            return false;
        Mfn second = first;
        if (count < source.Length && !TryFrame(address + (uint)count, source.Length - count, MemoryAccess.Write, out second))
            return false;
        source[..count].CopyTo(FrameAt(first)[offset..]);
        source[count..].CopyTo(FrameAt(second));
        return true;
    }

    /// <summary>Where a frame lies for this engine.</summary>
    private nint HostOf(Mfn frame) => Isolation?.Map(frame) ?? _state.Memory.HostBase + (nint)frame.Address;

    /// <summary>As <see cref="HostOf"/>, its bytes.</summary>
    private Span<byte> FrameAt(Mfn frame) => Isolation is null ? _state.Memory.Frame(frame) : Isolation.Frame(frame);

    /// <summary>Translates for a fetch. False: the fault is recorded.</summary>
    private bool TryFetchFrame(ulong address, out Mfn frame)
    {
        if (IsCanonical(address) && _tlb.TryFindCode(address, out frame))
            return true;
        return TryFrame(address, 1, MemoryAccess.Execute, out frame);
    }

    /// <summary>Translates one address to a host address, filling the TLB. False: the fault is recorded.</summary>
    private bool Translate(ulong address, int size, MemoryAccess access, out nint host)
    {
        bool ok = TryFrame(address, size, access, out Mfn frame);
        host = ok ? HostOf(frame) + (nint)(address & Page.OffsetMask) : 0;
        return ok;
    }

    /// <summary>As <see cref="Translate"/>, to a frame. The access ends on its page.</summary>
    private bool TryFrame(ulong address, int size, MemoryAccess access, out Mfn frame)
    {
        _protected = Mfn.Invalid;
        if (!IsCanonical(address))
        {
            frame = Mfn.Invalid;
            _exit = CpuExit.Exception(Vector.GeneralProtection);
            return false;
        }

        Translation translation = PageWalker.Walk(_state.Memory, _state.Root, address, access);
        frame = translation.Frame;
        bool write = access == MemoryAccess.Write;
        if (!translation.Present || !_state.Environment.MayAccess(frame, write))
        {
            if (translation.IsWriteProtected)
                _protected = frame;
            _exit = CpuExit.Exception(Vector.Page, translation.Present ? PageErrorForbidden : translation.ErrorCode, address);
            return false;
        }

        bool code = _state.Code.HasCode(frame);
        if (write && code)
        {
            int offset = (int)(address & Page.OffsetMask);
            bool into = _mayWriteInto && _writtenCount < _written.Length;
            if ((!into || _state.Code.IsCode(frame, offset, size)) && IsOwnBlock(frame))
                return false;

            // What the block does behind the write may tell another vCPU of it, which must not find old code then.
            if (into && _state.Code.HasSeveralReaders && IsLongBlock())
                return false;
            if (into && _state.Code.MayWriteInto(frame))
            {
                _written[_writtenCount++] = (frame, offset, size);
                WriteLog?.Add(frame, offset, size);
                return true;
            }

            _state.Code.NoteWrite(frame);
            code = false;
        }

        if (write)
            WriteLog?.Add(frame, (int)(address & Page.OffsetMask), size);

        if (access == MemoryAccess.Execute)
            _tlb.FillCode(address, frame);
        else
            _tlb.Fill(address, HostOf(frame), translation.Writable && !code && WriteLog is null);
        return true;
    }

    /// <summary>After something was written into a frame with code.</summary>
    private void NoteWritten()
    {
        Interlocked.MemoryBarrier();
        foreach ((Mfn frame, int offset, int size) in _written.AsSpan(0, _writtenCount))
        {
            if (_state.Code.IsCode(frame, offset, size))
                _state.Code.NoteWrite(frame, offset, size);
        }

        _writtenCount = 0;
    }

    private static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;

    private const uint PageErrorForbidden = 5;

    /// <summary>
    /// Whether a store goes into the frame of the block that does it. Then the instruction is executed again as a block of its own,
    /// so that what follows is decoded after the store.
    /// </summary>
    private bool IsOwnBlock(Mfn frame)
    {
        return (_current.Value.Frame == frame || _current.Value.TailFrame == frame) && IsLongBlock();
    }

    /// <summary>Whether the block has more than one instruction. Then this one is executed again as a block of its own.</summary>
    private bool IsLongBlock()
    {
        if (_current.Value.InstructionCount == 1)
            return false;
        Retry();
        _single = true;
        return true;
    }

    private void Retry()
    {
        _exit = new CpuExit(CpuExitReason.Request);
        _retry = true;
    }

    /// <summary>Copies an operand into the bounce buffer, if it can be written later. False: the fault is recorded.</summary>
    private bool BeginBounce(ulong address, int size)
    {
        int offset = (int)(address & Page.OffsetMask);
        Span<byte> bounce = _bounce.AsSpan(0, size);
        if (offset + size <= Page.Size)
        {
            // Not writable: the page fault is recorded. A page table of the guest's own is written by the hypervisor.
            Mfn table = _protected;
            int inEntry = offset & 7;
            if (table == Mfn.Invalid || inEntry + size > 8 || _state.Mode != GuestMode.Kernel || Isolation is not null || !_state.Environment.IsEmulatedPageTable(table))
                return false;
            _bounceTable = table;
            _bounceExpected = _state.Memory.ReadUInt64(table.Address + (ulong)(offset - inEntry));
            BinaryPrimitives.WriteUInt64LittleEndian(_bounce.AsSpan(32), _bounceExpected);
            _bounce.AsSpan(32 + inEntry, size).CopyTo(bounce);
        }
        else
        {
            int first = Page.Size - offset;
            if (!TryFrame(address, first, MemoryAccess.Write, out _) || !TryFrame(address + (uint)first, size - first, MemoryAccess.Write, out _))
                return false;
            _bounceTable = Mfn.Invalid;
            if (!ReadBytes(address, bounce))
                return false;
        }

        _bounceAddress = address;
        _bounceSize = size;
        _flagsBeforeBounce = Flags;
        return true;
    }

    /// <summary>Copies an operand that crosses a cache line into the bounce buffer. False: the fault is recorded.</summary>
    private bool BeginBounceBetweenLines(ulong address, int size)
    {
        Span<byte> bounce = _bounce.AsSpan(0, size);
        if (!ReadBytes(address, bounce))
            return false;
        bounce.CopyTo(_bounce.AsSpan(32));
        _bounceTable = Mfn.Invalid;
        _bounceAddress = address;
        _bounceSize = size;
        _bounceCompares = true;
        _flagsBeforeBounce = Flags;
        return true;
    }

    /// <summary>Whether the operand still is what was read. If it is not, another vCPU came between, and the instruction is executed again.</summary>
    private bool IsUnchanged()
    {
        Span<byte> now = _bounce.AsSpan(16, _bounceSize);
        if (!ReadBytes(_bounceAddress, now))
            return false;
        if (now.SequenceEqual(_bounce.AsSpan(32, _bounceSize)))
            return true;
        Retry();
        return false;
    }

    private bool CommitBounce()
    {
        bool unchanged = !_bounceCompares || IsUnchanged();
        _bounceCompares = false;
        ReadOnlySpan<byte> value = _bounce.AsSpan(0, _bounceSize);
        _bounceSize = 0;
        if (!unchanged)
        {
            Flags = _flagsBeforeBounce;
            return false;
        }

        if (_bounceTable == Mfn.Invalid ? WriteBytes(_bounceAddress, value) : WritePageTable(value))
            return true;
        Flags = _flagsBeforeBounce;
        return false;
    }

    private bool WritePageTable(ReadOnlySpan<byte> value)
    {
        int offset = (int)(_bounceAddress & Page.OffsetMask);
        BinaryPrimitives.WriteUInt64LittleEndian(_bounce.AsSpan(32), _bounceExpected);
        value.CopyTo(_bounce.AsSpan(32 + (offset & 7)));
        ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(_bounce.AsSpan(32));
        _state.LeaveGuest();
        PageTableWrite outcome = _state.Environment.WritePageTable(_state, _bounceTable, offset >> 3, _bounceExpected, entry);
        _state.EnterGuest();
        UseTlb();
        switch (outcome)
        {
            case PageTableWrite.Done:
                return true;
            case PageTableWrite.Changed:
                Retry();
                return false;
            default:
                _exit = CpuExit.Exception(Vector.Page, PageErrorProtectedWrite, _bounceAddress);
                return false;
        }
    }

    private const uint PageErrorProtectedWrite = 7;
}
