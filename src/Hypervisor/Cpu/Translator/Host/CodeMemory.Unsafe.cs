using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>
/// Memory for emitted code, mapped twice: writable here, executable there, never both through one mapping (W^X). Pages that were never
/// written cost nothing. Positions are offsets from the start, the same in both mappings.
/// </summary>
internal sealed unsafe partial class CodeMemory : SafeHandle
{
    private const int ProtRead = 1, ProtWrite = 2, ProtExec = 4, MapShared = 1, MapNoReserve = 0x4000;
    private const int AdvisePopulateRead = 22, AdvisePopulateWrite = 23, PopulatedTogether = 1 << 18;
    private const uint MfdCloexec = 1, MfdExec = 0x10;

    private readonly byte* _executable;

    /// <param name="size">Bytes, a multiple of the page size.</param>
    /// <exception cref="InsufficientMemoryException">The host refuses.</exception>
    public CodeMemory(int size)
        : base(0, ownsHandle: true)
    {
        // SAFETY: both mappings are of this object's size and released once, in ReleaseHandle; the descriptor is not needed behind them.
        Size = size;
        int fd = memfd_create("xen-code", MfdCloexec | MfdExec);
        if (fd < 0)
            fd = memfd_create("xen-code", MfdCloexec);
        if (fd < 0)
            throw new InsufficientMemoryException($"the host refuses a memfd for code: errno {Marshal.GetLastPInvokeError()}");
        try
        {
            if (ftruncate(fd, size) != 0)
                throw new InsufficientMemoryException($"the host refuses {size >> 20} MiB for code: errno {Marshal.GetLastPInvokeError()}");
            Writable = Map(fd, ProtRead | ProtWrite);
            SetHandle((nint)Writable);
            _executable = Map(fd, ProtRead | ProtExec);
        }
        finally
        {
            _ = close(fd);
        }
    }

    public int Size { get; }

    /// <summary>Position 0, for writing.</summary>
    public byte* Writable { get; }

    public override bool IsInvalid => handle == 0;

    /// <summary>Where the code at a position is executed.</summary>
    public nint AddressOf(int position) => (nint)(_executable + position);

    /// <summary>The position of a host address of the executable mapping, or -1.</summary>
    public int PositionOf(ulong address)
    {
        ulong position = address - (ulong)_executable;
        return position < (ulong)Size ? (int)position : -1;
    }

    /// <summary>Has the host provide pages before they are touched one by one, which costs it several times as much.</summary>
    /// <param name="ready">Up to where it has.</param>
    /// <param name="needed">Up to where they are needed.</param>
    /// <returns>Up to where it has now.</returns>
    public int Populate(int ready, int needed)
    {
        // SAFETY: the range is within both mappings. A host that does not know the advice leaves the pages to their first touch.
        if (needed <= ready)
            return ready;
        int start = ready & ~(PopulatedTogether - 1);
        int end = Math.Min((needed + PopulatedTogether - 1) & ~(PopulatedTogether - 1), Size);
        _ = madvise(Writable + start, (nuint)(end - start), AdvisePopulateWrite);
        _ = madvise(_executable + start, (nuint)(end - start), AdvisePopulateRead);
        return end;
    }

    /// <summary>The bytes at a position, for tests and reports.</summary>
    public ReadOnlySpan<byte> Read(int position, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Size - position);
        return new ReadOnlySpan<byte>(Writable + position, length);
    }

    /// <summary>Writes bytes at a position, for tests.</summary>
    public void Overwrite(int position, ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, Size - position);
        bytes.CopyTo(new Span<byte>(Writable + position, bytes.Length));
    }

    /// <summary>Changes where a jump goes.</summary>
    /// <param name="displacement">Position of its 32-bit displacement, its last part.</param>
    /// <param name="target">Position to go to.</param>
    public void PatchJump(int displacement, int target) => Unsafe.WriteUnaligned(Writable + displacement, target - (displacement + 4));

    /// <summary>Overwrites the start of an instruction by a jump.</summary>
    public void WriteJump(int position, int target)
    {
        Writable[position] = 0xE9;
        PatchJump(position + 1, target);
    }

    protected override bool ReleaseHandle()
    {
        if (_executable != null)
            _ = munmap(_executable, (nuint)Size);
        return munmap((void*)handle, (nuint)Size) == 0;
    }

    private byte* Map(int fd, int protection)
    {
        void* at = mmap(null, (nuint)Size, protection, MapShared | MapNoReserve, fd, 0);
        if (at == (void*)-1)
            throw new InsufficientMemoryException($"the host refuses to map {Size >> 20} MiB of code: errno {Marshal.GetLastPInvokeError()}");
        return (byte*)at;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int memfd_create(string name, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ftruncate(int fd, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial void* mmap(void* addr, nuint length, int prot, int flags, int fd, long offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int munmap(void* addr, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int madvise(void* addr, nuint length, int advice);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);
}
