using System.Diagnostics;
using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// The frames of other domains that a domain's page-table entries refer to, and how: what <see cref="Domain.MayAccess"/> asks about a frame
/// that is not the domain's own.
/// </summary>
/// <remarks>
/// Writers hold the domain's paging lock; readers take none. An open-addressed table: a place keeps its frame once it has one, only its counts change, and a full table
/// is replaced by another. A reader of a table that was replaced may see what was true before; it is a vCPU in its guest, and the flush that
/// follows each removal waits for it.
/// </remarks>
internal sealed class ForeignFrames
{
    private const int SmallestSize = 16;

    private Table _table = new(SmallestSize);
    private int _entries;

    /// <summary>Page-table entries that refer to frames of other domains.</summary>
    public int Entries => Volatile.Read(ref _entries);

    /// <summary>Whether the frame is mapped, and writable if that is asked.</summary>
    public bool Allows(Mfn frame, bool write)
    {
        if (Entries == 0)
            return false;
        Table table = Volatile.Read(ref _table);
        int place = table.Find(frame);
        return place >= 0 && (Volatile.Read(ref table.Writers[place]) > 0 || (!write && Volatile.Read(ref table.Readers[place]) > 0));
    }

    /// <summary>How many entries refer to the frame: read-only, writable.</summary>
    public (int Readers, int Writers) Count(Mfn frame)
    {
        int place = _table.Find(frame);
        return place < 0 ? (0, 0) : (_table.Readers[place], _table.Writers[place]);
    }

    /// <summary>One more entry.</summary>
    public void Add(Mfn frame, bool writable)
    {
        int place = _table.Find(frame);
        if (place < 0)
        {
            if (_table.IsFull)
                Volatile.Write(ref _table, _table.Rebuild());
            place = _table.Enter(frame);
        }

        (writable ? _table.Writers : _table.Readers)[place]++;
        Volatile.Write(ref _entries, _entries + 1);
    }

    /// <summary>One entry less.</summary>
    public void Remove(Mfn frame, bool writable)
    {
        int place = _table.Find(frame);
        int[] counts = writable ? _table.Writers : _table.Readers;
        if (place < 0 || counts[place] == 0)
            throw new InvalidOperationException($"{frame} was not mapped by a grant");
        Volatile.Write(ref counts[place], counts[place] - 1);
        Volatile.Write(ref _entries, _entries - 1);
    }

    private sealed class Table(int size)
    {
        private readonly ulong[] _keys = new ulong[size];
        private int _used;

        public int[] Readers { get; } = new int[size];

        public int[] Writers { get; } = new int[size];

        public bool IsFull => _used * 2 >= _keys.Length;

        /// <summary>The frame's place, or -1.</summary>
        public int Find(Mfn frame)
        {
            ulong key = frame.Value + 1;
            for (int i = Hash(frame); ; i = (i + 1) & (_keys.Length - 1))
            {
                ulong there = Volatile.Read(ref _keys[i]);
                if (there == key)
                    return i;
                if (there == 0)
                    return -1;
            }
        }

        public int Enter(Mfn frame)
        {
            Debug.Assert(!IsFull);
            int i = Hash(frame);
            while (_keys[i] != 0)
                i = (i + 1) & (_keys.Length - 1);
            _used++;
            Volatile.Write(ref _keys[i], frame.Value + 1);
            return i;
        }

        /// <summary>A table of the frames that are still mapped, with room for as many again.</summary>
        public Table Rebuild()
        {
            int live = 0;
            for (int i = 0; i < _keys.Length; i++)
                live += Readers[i] + Writers[i] != 0 ? 1 : 0;
            int size = SmallestSize;
            while (size < live * 4)
                size *= 2;
            var table = new Table(size);
            for (int i = 0; i < _keys.Length; i++)
            {
                if (Readers[i] + Writers[i] == 0)
                    continue;
                int place = table.Enter(new Mfn(_keys[i] - 1));
                table.Readers[place] = Readers[i];
                table.Writers[place] = Writers[i];
            }

            return table;
        }

        private int Hash(Mfn frame) => (int)((frame.Value * 0x9E37_79B9_7F4A_7C15ul) >> 33) & (_keys.Length - 1);
    }
}
