using System.Buffers.Binary;
using System.Text;
using Iced.Intel;
using Xen.Abi;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.GuestKit.Assembly;

/// <summary>
/// Assembles a tiny PV kernel: code through <see cref="Code"/> (Iced's assembler), data at addresses known at once, and
/// the hypercall and console sequences that every guest needs. The guest starts at its first instruction as Xen starts it: rsi holds
/// the start_info's address (also kept in <see cref="StartInfoSlot"/>), rsp a one-page stack, events masked.
/// </summary>
/// <remarks>
/// <code>
/// virt_base + ImageOffset                  code, CodeCapacity bytes, read and execute
///           + ImageOffset + CodeCapacity   data, read and write: slots, strings, buffers, the hypercall page
/// </code>
/// Guest code written with the members below may use rax, rcx, rdx, rsi, rdi, r8, r10 and r11 at will; rbx, rbp, r9, r12 to r15 stay
/// the caller's.
/// </remarks>
public sealed partial class GuestAssembler
{
    private const int MaxData = 64 << 20;

    private readonly GuestImageOptions _options;
    private readonly List<(ulong Address, Label Target)> _pointers = [];
    private readonly ulong? _hypercallPage;
    private byte[] _data = [];
    private ulong _dataEnd;
    private bool _built;

    public GuestAssembler(GuestImageOptions? options = null)
    {
        _options = options ?? new GuestImageOptions();
        if (((_options.ImageOffset | (uint)_options.CodeCapacity) & Page.OffsetMask) != 0)
        {
            throw new ArgumentException("ImageOffset and CodeCapacity must be multiples of the page size.", nameof(options));
        }

        _dataEnd = DataStart;
        Code = new Assembler(64);
        StartInfoSlot = Reserve(sizeof(ulong), sizeof(ulong));
        if (_options.HypercallPage)
        {
            _hypercallPage = Reserve(Page.Size, Page.Size);
        }

        Code.mov(rax, StartInfoSlot);
        Code.mov(__[rax], rsi);
    }

    /// <summary>The assembler of the guest's code.</summary>
    public Assembler Code { get; }

    /// <summary>Virtual address of the image's first byte, which is its entry point.</summary>
    public ulong Entry => _options.VirtBase + _options.ImageOffset;

    /// <summary>Virtual address of pseudo-physical address 0.</summary>
    public ulong VirtBase => _options.VirtBase;

    /// <summary>Virtual address of 8 bytes that hold the start_info's virtual address once the guest runs.</summary>
    public ulong StartInfoSlot { get; }

    /// <summary>Virtual address of the hypercall page, if the options ask for one.</summary>
    public ulong? HypercallPage => _hypercallPage;

    private ulong DataStart => Entry + (ulong)_options.CodeCapacity;

    /// <summary>Puts bytes into the data section. Returns their virtual address.</summary>
    public ulong Data(ReadOnlySpan<byte> bytes, int align = 8)
    {
        var address = Reserve(bytes.Length, align);
        WriteData(address, bytes);
        return address;
    }

    /// <summary>Puts 64-bit words into the data section. Returns their virtual address.</summary>
    public ulong Words(params ReadOnlySpan<ulong> words)
    {
        var bytes = new byte[words.Length * sizeof(ulong)];
        for (var i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * sizeof(ulong)), words[i]);
        }

        return Data(bytes);
    }

    /// <summary>Puts a string of ASCII into the data section, with a NUL after it. Returns its virtual address.</summary>
    public ulong Text(string text) => Data(Encoding.ASCII.GetBytes(text + "\0"), 1);

    /// <summary>Reserves zeroed room in the data section. Returns its virtual address.</summary>
    public ulong Reserve(int size, int align = 8)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        if (align is < 1 or > Page.Size || (align & (align - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(align), "An alignment is a power of two up to the page size.");
        }

        var address = (_dataEnd + (ulong)align - 1) & ~((ulong)align - 1);
        var end = address + (ulong)size;
        if (end - DataStart > MaxData)
        {
            throw new InvalidOperationException("The guest's data section is full.");
        }

        _dataEnd = end;
        return address;
    }

    /// <summary>Reserves whole zeroed pages. Returns the first one's virtual address.</summary>
    public ulong ReservePages(int count = 1) => Reserve(count * Page.Size, Page.Size);

    /// <summary>
    /// Has the 8 bytes at a data address hold the address of a code label when the guest starts (a trap table's
    /// handler).
    /// </summary>
    public void Pointer(ulong dataAddress, Label target)
    {
        if (dataAddress < DataStart || dataAddress + sizeof(ulong) > _dataEnd)
        {
            throw new ArgumentOutOfRangeException(nameof(dataAddress), "Not in the data section.");
        }

        _pointers.Add((dataAddress, target));
    }

    /// <summary>The frame in which a virtual address of the image lies, as the guest numbers its frames.</summary>
    public Pfn PfnOf(ulong virtualAddress) => new((virtualAddress - VirtBase) >> Page.Shift);

    /// <summary>Links the image. Call once.</summary>
    public GuestImage Build()
    {
        if (_built)
        {
            throw new InvalidOperationException("The image was built already.");
        }

        _built = true;
        EmitRoutines();
        Code.ud2();
        using var code = new MemoryStream();
        var result = Code.Assemble(new StreamCodeWriter(code), Entry, BlockEncoderOptions.ReturnNewInstructionOffsets);
        if (code.Length > _options.CodeCapacity)
        {
            throw new InvalidOperationException($"The guest's code takes {code.Length} bytes; CodeCapacity is {_options.CodeCapacity}.");
        }

        PatchPointers(result);
        var elf = GuestElf.Write(_options, Segments(code.ToArray()), Entry, _hypercallPage);
        return new GuestImage(elf, Entry, VirtBase, result);
    }

    private void PatchPointers(AssemblerResult result)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        foreach (var (address, target) in _pointers)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, result.GetLabelRIP(target));
            WriteData(address, bytes);
        }
    }

    private void WriteData(ulong address, ReadOnlySpan<byte> bytes)
    {
        var offset = (int)(address - DataStart);
        if (offset + bytes.Length > _data.Length)
        {
            Array.Resize(ref _data, Math.Max(offset + bytes.Length, _data.Length * 2));
        }

        bytes.CopyTo(_data.AsSpan(offset));
    }

    private GuestSegment[] Segments(byte[] code)
    {
        const uint read = 4, write = 2, execute = 1;
        var offset = _options.ImageOffset;
        var dataSize = _dataEnd - DataStart;
        var data = _data.AsSpan(0, (int)Math.Min((ulong)_data.Length, dataSize)).ToArray();
        if (!_options.SingleSegment)
        {
            return
            [
                new(offset, code, (ulong)code.Length, read | execute),
                new(offset + (ulong)_options.CodeCapacity, data, dataSize, read | write),
            ];
        }

        var whole = new byte[_options.CodeCapacity + data.Length];
        code.CopyTo(whole, 0);
        data.CopyTo(whole, _options.CodeCapacity);
        return [new(offset, whole, (ulong)_options.CodeCapacity + dataSize, read | write | execute)];
    }
}
