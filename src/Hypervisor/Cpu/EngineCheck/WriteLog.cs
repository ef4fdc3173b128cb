using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu;

/// <summary>Every write that the interpreter does in a block, byte by byte, with what was there before: so that it can be compared, and memory be seen as it was.</summary>
internal sealed class WriteLog(MachineMemory memory)
{
    private readonly List<Write> _writes = [];

    /// <summary>What was there before, one write after the other.</summary>
    private byte[] _before = new byte[Page.Size];

    private int _used;

    /// <summary>The writes, in order. One may be named that did not happen, or changed nothing.</summary>
    public List<Write> Writes => _writes;

    public void Clear()
    {
        _writes.Clear();
        _used = 0;
    }

    /// <summary>A range within a frame is about to be written.</summary>
    public void Add(Mfn frame, int offset, int size)
    {
        if (_used + size > _before.Length)
            Array.Resize(ref _before, _before.Length * 2);
        memory.Frame(frame).Slice(offset, size).CopyTo(_before.AsSpan(_used));
        _writes.Add(new Write(frame, offset, size, _used));
        _used += size;
    }

    /// <summary>What was in the place before.</summary>
    public ReadOnlySpan<byte> Before(in Write write) => _before.AsSpan(write.At, write.Size);

    /// <param name="Frame">The frame.</param>
    /// <param name="Offset">Where in it.</param>
    /// <param name="Size"><b>Units</b>: bytes.</param>
    /// <param name="At">Where what was there before is kept.</param>
    internal readonly record struct Write(Mfn Frame, int Offset, int Size, int At);
}
