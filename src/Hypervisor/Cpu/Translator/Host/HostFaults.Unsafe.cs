using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>What the signal handler has seen of a fault in emitted code. Written by machine code: see <see cref="HostFaultHandler"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HostFaultRecord
{
    public ulong Signal;

    /// <summary>si_addr: what the instruction has reached for.</summary>
    public ulong Address;

    public ulong Rip;

    /// <summary>The processor's exception, and its error code.</summary>
    public ulong Vector;
    public ulong ErrorCode;
}

/// <summary>
/// Keeps faults of emitted code from the runtime, which would end the process for them. The process's handlers of SIGSEGV, SIGBUS, SIGILL, SIGFPE
/// and SIGTRAP are replaced once by <see cref="HostFaultHandler"/>, which knows by this table whose code is whose. Everything else goes on to the handlers that were
/// there before: the runtime makes NullReferenceException of some.
/// </summary>
/// <remarks>
/// The table is read by signal handlers, on any thread, at any time. An entry's version is odd while it changes; a thread that runs emitted code
/// has an entry that does not.
/// </remarks>
internal static unsafe partial class HostFaults
{
    /// <summary>Two mappings each: a process has fewer.</summary>
    private const int MaxEntries = 1 << 16;

    private const int HandlerSize = 4096, SignalInfo = 4, OnStack = 0x0800_0000;
    private const int ProtRead = 1, ProtWrite = 2, MapPrivate = 2, MapAnonymous = 0x20, MapNoReserve = 0x4000;

    private static readonly Lock Gate = new();
    private static readonly Stack<int> Free = new();
    private static Table* _table;
    private static CodeMemory? _code;

    /// <summary>The signals that a processor's exceptions are told by.</summary>
    public static ReadOnlySpan<int> Signals => [4, 5, 7, 8, 11];

    /// <summary>Has faults of a code memory's code come out by <see cref="Trampolines.FaultExit"/>.</summary>
    /// <param name="context">The context that it runs with; alive until the registration is disposed of.</param>
    /// <param name="memory">The memory.</param>
    /// <exception cref="InsufficientMemoryException">The host refuses memory for the handler, or there are too many engines.</exception>
    public static HostFaultRegistration Register(VcpuContext* context, CodeMemory memory)
    {
        // SAFETY: entries are within the table; the version tells handlers that are reading one that it changes.
        lock (Gate)
        {
            Install();
            if (!Free.TryPop(out int index))
            {
                if (_table->Count == MaxEntries)
                    throw new InsufficientMemoryException($"there are {MaxEntries} CPU engines with code of their own in this process");
                index = (int)_table->Count;
            }

            Write(index, (ulong)context, (ulong)memory.AddressOf(0), (ulong)memory.Size);
            Volatile.Write(ref _table->Count, Math.Max(_table->Count, (ulong)index + 1));
            return new HostFaultRegistration(index);
        }
    }

    /// <summary>Entries in use, for tests.</summary>
    public static int Count
    {
        get
        {
            lock (Gate)
                return _table == null ? 0 : (int)_table->Count - Free.Count;
        }
    }

    internal static void Unregister(int index)
    {
        lock (Gate)
        {
            Write(index, 0, 0, 0);
            Free.Push(index);
        }
    }

    private static void Write(int index, ulong context, ulong start, ulong length)
    {
        TableEntry* entry = (TableEntry*)(_table + 1) + index;
        Volatile.Write(ref entry->Version, entry->Version + 1);
        Volatile.Write(ref entry->Context, context);
        Volatile.Write(ref entry->Start, start);
        Volatile.Write(ref entry->Length, length);
        Volatile.Write(ref entry->Version, entry->Version + 1);
    }

    /// <summary>Makes the table and the handler, and has the host call it, if that was not done. Both stay for the life of the process.</summary>
    public static void Install()
    {
        lock (Gate)
        {
            if (_table == null)
                _table = MakeTable();
        }
    }

    private static Table* MakeTable()
    {
        // SAFETY: the mapping has room for the header and all entries. Previous handlers are in the table before the new one can be called.
        nuint size = (nuint)(sizeof(Table) + (MaxEntries * sizeof(TableEntry)));
        void* at = mmap(null, size, ProtRead | ProtWrite, MapPrivate | MapAnonymous | MapNoReserve, -1, 0);
        if (at == (void*)-1)
            throw new InsufficientMemoryException($"the host refuses memory for the table of code: errno {Marshal.GetLastPInvokeError()}");
        var table = (Table*)at;
        _code = new CodeMemory(HandlerSize);
        var emitter = new Emitter(_code);
        emitter.MoveTo(0, HandlerSize);
        HostFaultHandler.Emit(emitter, (ulong)table);
        foreach (int signal in Signals)
            Replace(signal, table, _code.AddressOf(0));
        return table;
    }

    private static void Replace(int signal, Table* table, nint handler)
    {
        SignalAction action = default;
        if (sigaction(signal, null, &action) != 0)
            throw new InvalidOperationException($"the host does not tell the handler of signal {signal}: errno {Marshal.GetLastPInvokeError()}");
        table->Previous[signal] = action.Handler;

        // The old handler goes on as if it had been called by the host: on the stack and with the signals blocked that it has asked for.
        action.Flags |= SignalInfo | (action.Handler <= HostFaultHandler.Ignore ? OnStack : 0);
        action.Handler = (ulong)handler;
        if (sigaction(signal, &action, null) != 0)
            throw new InvalidOperationException($"the host refuses a handler of signal {signal}: errno {Marshal.GetLastPInvokeError()}");
    }

    /// <summary>The table's start; entries follow.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Table
    {
        /// <summary>Entries that are or were in use.</summary>
        public ulong Count;

        /// <summary>What was the handler of a signal before.</summary>
        public PreviousHandlers Previous;

        /// <summary>The kernel's form of a signal's default action: all zero.</summary>
        public DefaultAction Default;
    }

    /// <summary>Code that may be at fault.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct TableEntry
    {
        public ulong Version;
        public ulong Context;
        public ulong Start;
        public ulong Length;
    }

    [InlineArray(32)]
    internal struct PreviousHandlers
    {
        private ulong _first;
    }

    [InlineArray(4)]
    internal struct DefaultAction
    {
        private ulong _first;
    }

    /// <summary>struct sigaction of x86-64 C libraries.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SignalAction
    {
        public ulong Handler;
        public SignalSet Mask;
        public int Flags;
        public nint Restorer;
    }

    [InlineArray(16)]
    private struct SignalSet
    {
        private ulong _first;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaction(int signal, SignalAction* action, SignalAction* old);

    [LibraryImport("libc", SetLastError = true)]
    private static partial void* mmap(void* addr, nuint length, int prot, int flags, int fd, long offset);
}
