using System.Numerics;

namespace Xen.Cpu;

/// <summary>A list that grows without moving what it has, and keeps its memory when it is cleared.</summary>
internal sealed class ChunkedList<T>
    where T : struct
{
    private readonly int _chunkSize;
    private readonly int _shift;
    private readonly List<T[]> _chunks = [];

    /// <param name="chunkSize">Elements that are allocated together; a power of two.</param>
    public ChunkedList(int chunkSize)
    {
        _chunkSize = chunkSize;
        _shift = BitOperations.Log2((uint)chunkSize);
    }

    public int Count { get; private set; }

    public ref T this[int index] => ref _chunks[index >> _shift][index & (_chunkSize - 1)];

    /// <summary>Adds an element at the end. Returns its index.</summary>
    public int Add(in T element)
    {
        if (Count >> _shift == _chunks.Count)
            _chunks.Add(GC.AllocateUninitializedArray<T>(_chunkSize));
        this[Count] = element;
        return Count++;
    }

    public void Clear() => Count = 0;
}
