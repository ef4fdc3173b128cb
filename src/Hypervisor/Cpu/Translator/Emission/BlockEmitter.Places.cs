using Xen.Abi;

namespace Xen.Cpu;

/// <summary>Which guest instruction a place in a block's code is for.</summary>
internal sealed partial class BlockEmitter
{
    /// <summary>Where code of instructions begins, while somebody wants to know; else null.</summary>
    private List<(int Position, ulong Rip)>? _places;

    /// <summary>The guest instruction that code at a position is for. Uses up room for a block; what is emitted there is nobody's.</summary>
    /// <param name="block">The decoded instructions, as they were when the block was emitted.</param>
    /// <param name="translated">The block.</param>
    /// <param name="position">The position, in the block.</param>
    public ulong InstructionAt(Superblock block, in TranslatedBlock translated, int position)
    {
        _places = [];
        try
        {
            int number = Emit(block, translated.Rip, translated.Frame, translated.Tail, translated.Variant, interpretOnly: false);
            TranslatedBlock again = _cache.Block(number);
            _cache.Kill(number);

            // The two parts of a block lie apart; each is as long as it was.
            bool isCold = position >= translated.GoneKeepingFlags;
            int same = isCold ? position - translated.GoneKeepingFlags + again.GoneKeepingFlags : position - translated.Indirect + again.Indirect;
            ulong rip = translated.Rip;
            foreach ((int at, ulong instruction) in _places)
            {
                if (at <= same && at >= again.GoneKeepingFlags == isCold)
                    rip = instruction;
            }

            return rip;
        }
        finally
        {
            _places = null;
        }
    }
}
