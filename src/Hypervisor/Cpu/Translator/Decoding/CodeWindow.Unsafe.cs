using Iced.Intel;
using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu;

/// <summary>
/// Guest code within one page, or two for an instruction that crosses, as the decoder reads it: where it lies in machine memory, which others may be writing.
/// Who decodes has marked the frames before (<see cref="CodeMap"/>), and learns of what was written; lines are marked here, before they are read.
/// </summary>
internal sealed unsafe class CodeWindow(MachineMemory memory, CodeMap map) : CodeReader
{
    private Mfn _frame;
    private Mfn _tail;
    private byte* _page;
    private byte* _next;
    private int _position;
    private int _end;

    /// <summary>The lines of the first page that were read.</summary>
    public ulong Lines { get; private set; }

    /// <summary>Chooses the pages.</summary>
    /// <param name="frame">The page.</param>
    /// <param name="tail">The page that follows, or invalid.</param>
    public void Open(Mfn frame, Mfn tail)
    {
        // SAFETY: both are frames of the machine's memory, which outlives engines.
        _frame = frame;
        _tail = tail;
        _page = (byte*)memory.HostBase + frame.Address;
        Lines = 0;
        _end = Page.Size;
        if (tail == Mfn.Invalid)
            return;
        _next = (byte*)memory.HostBase + tail.Address;
        _end = 2 * Page.Size;
        map.MarkLines(tail, CodeMap.LinesIn(0, CodeMap.LineSize));
    }

    /// <summary>Goes to an offset in the first page.</summary>
    public void Seek(int position) => _position = position;

    public override int ReadByte()
    {
        // SAFETY: the position stays below the end, which is that of the pages that there are.
        if (_position >= _end)
            return -1;
        int at = _position++;
        if (at >= Page.Size)
            return _next[at - Page.Size];
        ulong line = 1ul << (at / CodeMap.LineSize);
        if ((Lines & line) == 0)
        {
            map.MarkLines(_frame, line);
            Lines |= line;
        }

        return _page[at];
    }
}
