using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>What became of an instruction on the processor.</summary>
/// <param name="Branched">Whether it went to the branch target.</param>
/// <param name="Trap">The vector of the fault that it ended with, if it did.</param>
internal readonly record struct SiliconOutcome(bool Branched, int? Trap);

/// <summary>
/// Survives the faults of instructions under test. While it exists, the process's handlers of the fault signals are a piece of machine code: at a fault
/// within the test's mapping it notes the vector and goes on at the way back; all others are the business of the handlers that were there before.
/// </summary>
internal sealed unsafe partial class SiliconFaults : IDisposable
{
    /// <summary>What stands for "no fault".</summary>
    public const ulong NoTrap = ulong.MaxValue;

    /// <summary>How many words hold the handlers that were there before, one by signal number.</summary>
    public const int Handlers = 12;

    // struct ucontext of x86-64 Linux: 40 bytes, then the general registers in the kernel's order.
    private const int SavedRip = 40 + (16 * 8), SavedVector = 40 + (20 * 8);

    /// <summary>SA_SIGINFO and SA_ONSTACK: the stack of the instruction under test is test data.</summary>
    private const int Flags = 0x0800_0004;

    /// <summary>SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV.</summary>
    private static readonly int[] Signals = [4, 5, 7, 8, 11];

    private readonly Dictionary<int, SignalAction> _before = [];

    /// <summary>Installs the code of <see cref="EmitHandler"/>.</summary>
    /// <param name="handler">Its address. It is there until Dispose.</param>
    /// <param name="before">Gets the handlers that were there before.</param>
    public SiliconFaults(ulong handler, Span<ulong> before)
    {
        // SAFETY: the code needs no more than the words that EmitHandler names; before[signal] is set before the code may run for that signal.
        // The engine's own handler comes first: put in between, it would be lost with this one.
        HostFaults.Install();
        foreach (int signal in Signals)
        {
            if (Exchange(signal, null, out SignalAction old) != 0)
                throw new InvalidOperationException($"sigaction: {Marshal.GetLastPInvokeErrorMessage()}");
            before[signal] = old.Handler;
            _before[signal] = old;
            var action = new SignalAction { Handler = handler, Flags = Flags };
            _ = Exchange(signal, &action, out _);
        }
    }

    /// <summary>The signal handler (rdi: signal, rdx: context).</summary>
    /// <param name="a">Where it goes.</param>
    /// <param name="start">First address of the instructions under test.</param>
    /// <param name="end">Behind the last.</param>
    /// <param name="trap">The word that gets the vector.</param>
    /// <param name="back">The word with the address to go on at.</param>
    /// <param name="before">The words with the handlers that were there before.</param>
    public static void EmitHandler(Assembler a, ulong start, ulong end, ulong trap, ulong back, ulong before)
    {
        Label other = a.CreateLabel();
        a.mov(rax, __[rdx + SavedRip]);
        a.sub(rax, (int)start);
        a.cmp(rax, (int)(end - start));
        a.jae(other);
        a.mov(rax, __[rdx + SavedVector]);
        a.mov(__[trap], rax);
        a.mov(rax, __[back]);
        a.mov(__[rdx + SavedRip], rax);
        a.ret();
        a.Label(ref other);
        a.jmp(__qword_ptr[(rdi * 8) + (long)before]);
    }

    public void Dispose()
    {
        foreach ((int signal, SignalAction old) in _before)
        {
            SignalAction action = old;
            _ = Exchange(signal, &action, out _);
        }
    }

    [LibraryImport("libc", EntryPoint = "sigaction", SetLastError = true)]
    private static partial int Exchange(int signal, SignalAction* action, out SignalAction old);

    /// <summary>struct sigaction.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SignalAction
    {
        public ulong Handler;
        public fixed ulong Mask[16];
        public int Flags;
        public ulong Restorer;
    }
}
