using System.Numerics;

namespace Xen.Core;

/// <summary>Which ports are in use, and the lowest that is not. Under the table's lock.</summary>
/// <remarks>Low numbers first keeps a guest's event array small. The hint makes the usual search one word long.</remarks>
internal sealed class PortSet
{
    private const int BitsPerWord = 64;

    /// <summary>A bit per port; port 0 is never free.</summary>
    private ulong[] _used = [1];

    /// <summary>No word before this one has a free port.</summary>
    private int _firstWord;

    /// <summary>Ports in use.</summary>
    public int Count { get; private set; }

    /// <summary>The lowest free port at or after <paramref name="from"/>; may lie behind all ports there have been so far.</summary>
    public uint FindFree(uint from = 0)
    {
        int word = Math.Max(_firstWord, (int)(from / BitsPerWord));
        ulong skipped = word == (int)(from / BitsPerWord) ? (1ul << (int)(from % BitsPerWord)) - 1 : 0;
        for (; word < _used.Length; word++, skipped = 0)
        {
            ulong used = _used[word];
            if (~used == 0 && word == _firstWord)
                _firstWord++;
            ulong free = ~(used | skipped);
            if (free != 0)
                return (uint)((word * BitsPerWord) + BitOperations.TrailingZeroCount(free));
        }

        return Math.Max(from, (uint)(_used.Length * BitsPerWord));
    }

    public void Take(uint port)
    {
        int word = (int)(port / BitsPerWord);
        if (word >= _used.Length)
            Array.Resize(ref _used, Math.Max(word + 1, _used.Length * 2));
        _used[word] |= 1ul << (int)(port % BitsPerWord);
        Count++;
    }

    public void Release(uint port)
    {
        int word = (int)(port / BitsPerWord);
        _used[word] &= ~(1ul << (int)(port % BitsPerWord));
        _firstWord = Math.Min(_firstWord, word);
        Count--;
    }
}
