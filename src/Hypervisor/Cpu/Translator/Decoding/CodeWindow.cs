using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Guest code within one page (or, for an instruction that crosses, two), as the decoder reads it.</summary>
internal sealed class CodeWindow : CodeReader
{
    private byte[] _bytes = [];
    private int _position;
    private int _end;

    /// <summary>Reads from a copy of code.</summary>
    public void Load(byte[] code, int position, int end)
    {
        _bytes = code;
        _position = position;
        _end = end;
    }

    public override int ReadByte() => _position < _end ? _bytes[_position++] : -1;
}
