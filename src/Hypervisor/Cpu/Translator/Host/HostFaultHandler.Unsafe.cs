using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>
/// The signal handler for faults of emitted code. It is emitted itself: at the place of a fault nothing of the runtime may run. What it does:
/// <code>
/// if the signal is a fault of this thread (si_code > 0)
///     context = the thread's gs base
///     for each entry of the table that is stable, and has this context
///         if rip is within its code, or it is nobody's: where rip points could not be fetched, and the stack is emitted code's
///             if emitted code runs (context.Recovery != 0)
///                 context.Fault = signal, address, rip, ...
///                 go on at context.Recovery, when the handler has returned
///                 return
/// go to the handler that was there before, with the same arguments
/// </code>
/// gs is not used to look into the context before the table has said that it is one.
/// </summary>
internal static unsafe class HostFaultHandler
{
    /// <summary>SIG_IGN; SIG_DFL is 0.</summary>
    public const ulong Ignore = 1;

    // struct siginfo and struct ucontext of x86-64.
    private const int InfoCode = 8, InfoAddress = 16;
    private const int FrameRsp = 160, FrameRip = 168, FrameError = 192, FrameTrap = 200;

    private const int SysSigaction = 13, SysGetpid = 39, SysArchPrctl = 158, SysGettid = 186, SysTgkill = 234, GetGs = 0x1004, SignalSetSize = 8;

    /// <summary>The first bit of an address that programs have none of.</summary>
    private const int AddressBits = 47;

    /// <summary>Bytes that emitted code may have on the host's stack.</summary>
    private const int StackOfCode = 64;

    private const HostRegister Signal = HostRegister.Rdi, Info = HostRegister.Rsi, Frame = HostRegister.Rdx;
    private const HostRegister Rip = HostRegister.Rax, Count = HostRegister.R8, Entry = HostRegister.R9, Context = HostRegister.R10, Version = HostRegister.R11, Work = HostRegister.Rcx;

    /// <summary>Emits it where the emitter is.</summary>
    /// <param name="emitter">The emitter.</param>
    /// <param name="table">Host address of the <see cref="HostFaults.Table"/>.</param>
    public static void Emit(Emitter emitter, ulong table)
    {
        List<int> notMine = [];
        emitter.Compare(HostAddress.At(Info, InfoCode), 0, wide: false);
        notMine.Add(emitter.Jump(HostCondition.LessOrEqual));
        EmitGetContext(emitter, notMine);
        emitter.Load(Rip, HostAddress.At(Frame, FrameRip));

        // Entries begin behind the header; the entry before the first one is where the search begins.
        emitter.Move(Entry, table);
        emitter.Load(Count, HostAddress.At(Entry, OffsetOf(nameof(HostFaults.Table.Count))));
        emitter.Lea(Entry, HostAddress.At(Entry, sizeof(HostFaults.Table) - sizeof(HostFaults.TableEntry)));
        int next = emitter.Position;
        emitter.Compare(Count, 0);
        notMine.Add(emitter.Jump(HostCondition.Equal));
        emitter.Lea(Count, HostAddress.At(Count, -1));
        emitter.Lea(Entry, HostAddress.At(Entry, sizeof(HostFaults.TableEntry)));
        EmitMatch(emitter, next);
        EmitRecord(emitter);
        foreach (int jump in notMine)
            emitter.Bind(jump);
        EmitGoOn(emitter, table);
    }

    /// <summary>Asks the host for the thread's gs base.</summary>
    private static void EmitGetContext(Emitter emitter, List<int> notMine)
    {
        emitter.Move(HostRegister.R8, Signal);
        emitter.Move(HostRegister.R9, Info);
        emitter.Lea(HostRegister.Rsp, HostAddress.At(HostRegister.Rsp, -16));
        emitter.Move(HostRegister.R10, Frame);
        emitter.Move(HostRegister.Rdi, GetGs);
        emitter.Move(HostRegister.Rsi, HostRegister.Rsp);
        EmitSystemCall(emitter, SysArchPrctl);
        emitter.Move(Signal, HostRegister.R8);
        emitter.Move(Info, HostRegister.R9);
        emitter.Move(Frame, HostRegister.R10);
        emitter.Load(Context, HostAddress.At(HostRegister.Rsp));
        emitter.Lea(HostRegister.Rsp, HostAddress.At(HostRegister.Rsp, 16));
        emitter.Compare(HostRegister.Rax, 0, wide: false);
        notMine.Add(emitter.Jump(HostCondition.NotEqual));
        emitter.Compare(Context, 0);
        notMine.Add(emitter.Jump(HostCondition.Equal));
    }

    /// <summary>Goes on if the entry is the one, else to the next.</summary>
    private static void EmitMatch(Emitter emitter, int next)
    {
        emitter.Load(Version, HostAddress.At(Entry, EntryOffset(nameof(HostFaults.TableEntry.Version))));
        emitter.Test(Version, 1);
        emitter.JumpTo(HostCondition.NotEqual, next);
        emitter.Compare(Context, HostAddress.At(Entry, EntryOffset(nameof(HostFaults.TableEntry.Context))));
        emitter.JumpTo(HostCondition.NotEqual, next);
        emitter.Move(Work, Rip);
        emitter.Memory(true, 0x2B, (int)Work, HostAddress.At(Entry, EntryOffset(nameof(HostFaults.TableEntry.Start)))); // sub
        emitter.Compare(Work, HostAddress.At(Entry, EntryOffset(nameof(HostFaults.TableEntry.Length))));
        int within = emitter.Jump(HostCondition.Below);

        // A jump that went astray: what could not be fetched is what rip points to, or rip is no address at all.
        emitter.Compare(Rip, HostAddress.At(Info, InfoAddress));
        int astray = emitter.Jump(HostCondition.Equal);
        emitter.Move(Work, Rip);
        emitter.ShiftRight(Work, AddressBits);
        emitter.JumpTo(HostCondition.Equal, next);
        emitter.Bind(astray);
        EmitVersionCheck(emitter, next);
        emitter.Load(Work, HostAddress.At(Context, ContextOffsets.HostStack));
        emitter.Memory(true, 0x2B, (int)Work, HostAddress.At(Frame, FrameRsp)); // sub
        emitter.Compare(Work, StackOfCode);
        emitter.JumpTo(HostCondition.Above, next);
        emitter.Bind(within);
        EmitVersionCheck(emitter, next);
        emitter.Load(Version, HostAddress.At(Context, ContextOffsets.Recovery));
        emitter.Compare(Version, 0);
        emitter.JumpTo(HostCondition.Equal, next);
    }

    /// <summary>Goes to the next entry if this one has changed while it was read.</summary>
    private static void EmitVersionCheck(Emitter emitter, int next)
    {
        emitter.Compare(Version, HostAddress.At(Entry, EntryOffset(nameof(HostFaults.TableEntry.Version))));
        emitter.JumpTo(HostCondition.NotEqual, next);
    }

    /// <summary>Notes the fault and returns to where emitted code recovers.</summary>
    private static void EmitRecord(Emitter emitter)
    {
        emitter.Store(HostAddress.At(Frame, FrameRip), Version);
        emitter.Store(HostAddress.At(Context, ContextOffsets.Recovery), 0);
        emitter.Move(Signal, Signal, wide: false);
        emitter.Store(HostAddress.At(Context, RecordOffset(nameof(HostFaultRecord.Signal))), Signal);
        emitter.Store(HostAddress.At(Context, RecordOffset(nameof(HostFaultRecord.Rip))), Rip);
        Copy(Info, InfoAddress, nameof(HostFaultRecord.Address));
        Copy(Frame, FrameTrap, nameof(HostFaultRecord.Vector));
        Copy(Frame, FrameError, nameof(HostFaultRecord.ErrorCode));
        emitter.Byte(0xC3);

        void Copy(HostRegister from, int offset, string field)
        {
            emitter.Load(Work, HostAddress.At(from, offset));
            emitter.Store(HostAddress.At(Context, RecordOffset(field)), Work);
        }
    }

    /// <summary>
    /// Goes to the previous handler. Where there was none the host's default action is restored: an instruction that faults does so again, and a signal that
    /// was sent is sent again.
    /// </summary>
    private static void EmitGoOn(Emitter emitter, ulong table)
    {
        const HostRegister work = HostRegister.R9, code = HostRegister.R8;
        emitter.Move(Signal, Signal, wide: false);
        emitter.Move(work, table);
        emitter.Load(HostRegister.Rax, new HostAddress(work, Signal, 3, OffsetOf(nameof(HostFaults.Table.Previous))));
        emitter.Compare(HostRegister.Rax, (int)Ignore);
        int none = emitter.Jump(HostCondition.BelowOrEqual);
        emitter.Registers(false, 0xFF, 4, HostRegister.Rax); // jmp
        emitter.Bind(none);
        int isDefault = emitter.Jump(HostCondition.NotEqual);
        emitter.Compare(HostAddress.At(Info, InfoCode), 0, wide: false);
        int raised = emitter.Jump(HostCondition.Greater);
        emitter.Byte(0xC3);
        emitter.Bind(isDefault);
        emitter.Bind(raised);
        emitter.Load(code, HostAddress.At(Info, InfoCode), wide: false);
        emitter.Lea(HostRegister.Rsi, HostAddress.At(work, OffsetOf(nameof(HostFaults.Table.Default))));
        emitter.Move(HostRegister.Rdx, 0);
        emitter.Move(HostRegister.R10, SignalSetSize);
        EmitSystemCall(emitter, SysSigaction);
        emitter.Compare(code, 0, wide: false);
        int sent = emitter.Jump(HostCondition.LessOrEqual);
        emitter.Byte(0xC3);
        emitter.Bind(sent);
        emitter.Move(HostRegister.Rdx, Signal);
        EmitSystemCall(emitter, SysGettid);
        emitter.Move(HostRegister.Rsi, HostRegister.Rax);
        EmitSystemCall(emitter, SysGetpid);
        emitter.Move(HostRegister.Rdi, HostRegister.Rax);
        EmitSystemCall(emitter, SysTgkill);
        emitter.Byte(0xC3);
    }

    /// <summary>Changes rax, rcx, r11.</summary>
    private static void EmitSystemCall(Emitter emitter, int number)
    {
        emitter.Move(HostRegister.Rax, (ulong)number);
        emitter.Byte(0x0F);
        emitter.Byte(0x05);
    }

    private static int OffsetOf(string field) => (int)Marshal.OffsetOf<HostFaults.Table>(field);

    private static int EntryOffset(string field) => (int)Marshal.OffsetOf<HostFaults.TableEntry>(field);

    private static int RecordOffset(string field) => ContextOffsets.Fault + (int)Marshal.OffsetOf<HostFaultRecord>(field);
}
