using Iced.Intel;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// Guest code within one page, or two for an instruction that crosses, as the decoder reads it: where it lies in machine memory, which others may be writing.
/// Who decodes has said so before (<see cref="CodeMap"/>), and learns of what was written.
/// </summary>
internal sealed unsafe class CodeWindow : CodeReader
{
    private byte* _page;
    private byte* _tail;
    private int _position;
    private int _end;

    /// <summary>Chooses the pages.</summary>
    /// <param name="page">Host address of the page.</param>
    /// <param name="tail">Host address of the page that follows, or 0.</param>
    public void Open(nint page, nint tail)
    {
        _page = (byte*)page;
        _tail = (byte*)tail;
        _end = tail == 0 ? Page.Size : 2 * Page.Size;
    }

    /// <summary>Goes to an offset in the first page.</summary>
    public void Seek(int position) => _position = position;

    public override int ReadByte()
    {
        // SAFETY: the position stays below the end, which is that of the pages that there are; they are machine memory, which outlives engines.
        if (_position >= _end)
            return -1;
        int at = _position++;
        return at < Page.Size ? _page[at] : _tail[at - Page.Size];
    }
}
