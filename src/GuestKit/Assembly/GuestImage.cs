using Iced.Intel;
using Xen.Abi;

namespace Xen.GuestKit.Assembly;

/// <summary>A finished guest kernel.</summary>
public sealed class GuestImage
{
    private readonly AssemblerResult _code;
    private readonly ulong _virtBase;

    internal GuestImage(byte[] elf, ulong entry, ulong virtBase, AssemblerResult code)
    {
        Elf = elf;
        Entry = entry;
        _virtBase = virtBase;
        _code = code;
    }

    /// <summary>The ELF file.</summary>
    public byte[] Elf { get; }

    /// <summary>Virtual address of the first instruction.</summary>
    public ulong Entry { get; }

    /// <summary>The virtual address of a label of the code.</summary>
    public ulong AddressOf(Label label) => _code.GetLabelRIP(label);

    /// <summary>The frame in which a virtual address of the image lies, as the guest numbers its frames.</summary>
    public Pfn PfnOf(ulong virtualAddress) => new((virtualAddress - _virtBase) >> Page.Shift);
}
