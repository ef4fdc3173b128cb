using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>
/// Compare-and-exchange of 16 bytes. The runtime has none, so that on x86-64 hosts a few bytes of machine code do it.
/// Elsewhere a lock makes it atomic against itself, which is all that guests' users of the instruction ask for:
/// they change such a pair by no other means.
/// </summary>
internal static unsafe partial class WideExchange
{
    private const int ProtRead = 1, ProtWrite = 2, ProtExec = 4, MapPrivate = 2, MapAnonymous = 0x20;

    /// <summary>push rbx; mov r8,rdx; mov rbx,[rsi]; mov rcx,[rsi+8]; mov rax,[r8]; mov rdx,[r8+8]; lock cmpxchg16b [rdi];
    /// mov [r8],rax; mov [r8+8],rdx; sete al; movzx eax,al; pop rbx; ret.</summary>
    private static ReadOnlySpan<byte> Code =>
    [
        0x53, 0x49, 0x89, 0xD0, 0x48, 0x8B, 0x1E, 0x48, 0x8B, 0x4E, 0x08, 0x49, 0x8B, 0x00, 0x49, 0x8B, 0x50, 0x08,
        0xF0, 0x48, 0x0F, 0xC7, 0x0F, 0x49, 0x89, 0x00, 0x49, 0x89, 0x50, 0x08, 0x0F, 0x94, 0xC0, 0x0F, 0xB6, 0xC0, 0x5B, 0xC3,
    ];

    private static readonly delegate* unmanaged[SuppressGCTransition]<UInt128*, UInt128*, UInt128*, int> Native = Emit();
    private static readonly Lock Fallback = new();

    /// <summary>Stores <paramref name="value"/> if the memory holds <paramref name="wanted"/>; <paramref name="old"/> is what it held. The operand is aligned and does not move.</summary>
    public static bool CompareExchange(ref UInt128 memory, UInt128 value, UInt128 wanted, out UInt128 old)
    {
        // SAFETY: the operand is aligned guest memory (the bounce buffer never holds 16 aligned bytes: they neither cross a page nor fit a page-table entry); the code writes it and the local only.
        if (Native != null)
        {
            fixed (UInt128* operand = &memory)
            {
                UInt128 seen = wanted;
                bool exchanged = Native(operand, &value, &seen) != 0;
                old = seen;
                return exchanged;
            }
        }

        lock (Fallback)
        {
            old = memory;
            if (old != wanted)
                return false;
            memory = value;
            return true;
        }
    }

    private static delegate* unmanaged[SuppressGCTransition]<UInt128*, UInt128*, UInt128*, int> Emit()
    {
        // SAFETY: the page is fresh, filled before it becomes executable and never unmapped. Without it the lock serves.
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !OperatingSystem.IsLinux())
            return null;
        nint page = Map(0, (nuint)Environment.SystemPageSize, ProtRead | ProtWrite, MapPrivate | MapAnonymous, -1, 0);
        if (page == -1)
            return null;
        Code.CopyTo(new Span<byte>((void*)page, Code.Length));
        if (Protect(page, (nuint)Environment.SystemPageSize, ProtRead | ProtExec) != 0)
            return null;
        return (delegate* unmanaged[SuppressGCTransition]<UInt128*, UInt128*, UInt128*, int>)page;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);
}
