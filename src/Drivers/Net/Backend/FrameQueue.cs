using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Backend;

/// <summary>What goes with a frame to the guest.</summary>
/// <param name="Offload">What is left undone.</param>
/// <param name="Hash">The flow's hash, where the guest asked for it; else its type is none.</param>
internal readonly record struct RxInfo(FrameOffload Offload, NetifExtraInfo Hash);

/// <summary>
/// Frames that wait for a guest's buffers, in order, in one block of memory that is as large as they may become. A frame lies in one
/// piece; what is left at the block's end stays empty. Not thread-safe.
/// </summary>
internal sealed class FrameQueue(int bytes)
{
    private const int MostFrames = 4096;

    private Record[] _records = [];
    private byte[] _data = [];
    private int _first;
    private int _head;

    public int Count { get; private set; }

    public ReadOnlySpan<byte> FirstBytes => _data.AsSpan(_records[_first].Offset, _records[_first].Length);

    /// <summary>When the first came, as the stopwatch says.</summary>
    public long FirstArrival => _records[_first].Arrival;

    public RxInfo FirstInfo => _records[_first].Info;

    /// <summary>Adds a copy of the frame.</summary>
    /// <returns>False if there is no room for it.</returns>
    public bool TryAdd(ReadOnlySpan<byte> frame, in RxInfo info, long arrival)
    {
        // Most guests are never late: the block is there from the first frame that has to wait.
        if (_data.Length == 0)
            (_data, _records) = (GC.AllocateUninitializedArray<byte>(bytes), new Record[MostFrames]);
        if (Count == MostFrames || !TryPlace(frame.Length, out int offset))
            return false;
        frame.CopyTo(_data.AsSpan(offset));
        _records[(_first + Count) % MostFrames] = new Record(offset, frame.Length, info, arrival);
        _head = offset + frame.Length;
        Count++;
        return true;
    }

    public void RemoveFirst()
    {
        _first = (_first + 1) % MostFrames;
        Count--;
    }

    private bool TryPlace(int length, out int offset)
    {
        offset = Count == 0 ? 0 : _head;
        if (Count == 0)
            return length <= _data.Length;
        int tail = _records[_first].Offset;
        if (_head <= tail)
            return length <= tail - _head;
        if (length <= _data.Length - _head)
            return true;
        offset = 0;
        return length <= tail;
    }

    private readonly record struct Record(int Offset, int Length, RxInfo Info, long Arrival);
}
