using Xen.Abi;

namespace Xen.Cpu;

/// <summary>What the engine finds out about a fault of its code.</summary>
public sealed partial class Translator
{
    /// <summary>Host code that a report shows before and behind the instruction.</summary>
    private const int CodeBefore = 16, CodeShown = 40;

    /// <summary>Describes the fault by which emitted code has come out, and puts rip where the guest was.</summary>
    private void DescribeFault()
    {
        HostFaultRecord record = FaultRecord;
        int position = _cache.Memory.PositionOf(record.Rip);
        int block = position < 0 ? Nowhere : _cache.BlockAt(position);
        ulong? start = block < 0 ? null : _cache.Block(block).Rip;
        ulong? rip = block < 0 ? null : InstructionAt(block, position);
        ReadOnlyMemory<byte> code = default;
        int first = Math.Max(0, position - CodeBefore);
        if (position >= 0)
            code = _cache.Memory.Read(first, Math.Min(CodeShown, _cache.Memory.Size - first)).ToArray();
        _state.HostFault = new HostFault((int)record.Signal, (byte)record.Vector, (uint)record.ErrorCode, record.Address, record.Rip, start, rip, code, position - first);
        if ((rip ?? start) is { } known)
            _state.Registers.Rip = known;
    }

    /// <summary>The guest instruction that a position in a block's code is for: the block is emitted once more, the same way, and watched.</summary>
    private ulong? InstructionAt(int number, int position)
    {
        TranslatedBlock block = _cache.Block(number);
        if (block.IsDead || !_cache.HasRoom)
            return null;
        bool decoded = block.CrossesPage
            ? _superblock.TryDecodeCrossing(block.Rip, block.Frame, block.Tail, block.Variant)
            : _superblock.TryDecode(block.Rip, block.Frame, block.Variant);
        if (!decoded)
            return null;
        try
        {
            return _cache.Translator.InstructionAt(_superblock, in block, position);
        }
        catch (UntranslatableException)
        {
            return block.Rip;
        }
    }
}
