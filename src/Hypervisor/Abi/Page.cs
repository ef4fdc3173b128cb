namespace Xen.Abi;

/// <summary>The size of pages and frames on x86.</summary>
public static class Page
{
    public const int Shift = 12;
    public const int Size = 1 << Shift;
    public const ulong OffsetMask = Size - 1;

    /// <summary>How many 64-bit entries a page table has.</summary>
    public const int EntriesPerTable = Size / sizeof(ulong);
}
