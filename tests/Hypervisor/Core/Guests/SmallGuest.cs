using System.Text;
using Iced.Intel;
using Xen.Abi;
using Xen.GuestKit.Assembly;
using Xen.Toolstack;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Core.Tests.Guests;

/// <summary>
/// A kernel of a few dozen instructions that runs on a whole machine, with a table of handlers and user mode. It ends with poweroff when all is well,
/// and crashes when something is not as expected.
/// </summary>
internal sealed class SmallGuest
{
    /// <summary>Of struct start_info.</summary>
    private const int StartInfoSharedInfo = 40, StartInfoPageTable = 88, StartInfoFrameList = 104;

    /// <summary>What a mapping must be: present, writable, for user mode, accessed, dirty.</summary>
    private const uint PageFlags = 0x67;

    private readonly List<(TrapVector Vector, byte Flags, Label Handler)> _gates = [];

    public GuestAssembler Guest { get; } = new();

    public Assembler Code => Guest.Code;

    /// <summary>A page that <see cref="MapSharedInfo"/> turns into the shared_info.</summary>
    public ulong SharedInfo { get; private set; }

    /// <summary>Emits code that is entered by its label only. Do this before the label is used as a pointer.</summary>
    public Label Routine(Action body)
    {
        Label start = Code.CreateLabel(), behind = Code.CreateLabel();
        Code.jmp(behind);
        Code.Label(ref start);
        body();
        Code.Label(ref behind);
        Code.nop();
        return start;
    }

    /// <summary>Registers a handler; call <see cref="SetTrapTable"/> afterwards, once.</summary>
    public void Gate(TrapVector vector, Label handler, byte flags = 0) => _gates.Add((vector, flags, handler));

    /// <summary>Emits set_trap_table with the handlers named so far.</summary>
    public void SetTrapTable()
    {
        var words = new List<ulong>();
        foreach ((TrapVector vector, byte flags, _) in _gates)
            words.AddRange([(ulong)vector | ((ulong)flags << 8) | ((ulong)FlatSelectors.KernelCs << 16), 0]);
        words.AddRange([0, 0]);
        ulong table = Guest.Words([.. words]);
        for (int i = 0; i < _gates.Count; i++)
            Guest.Pointer(table + ((ulong)i * 16) + 8, _gates[i].Handler);
        Guest.Hypercall(HypercallNumber.SetTrapTable, table);
        Guest.Expect(0, "set_trap_table");
    }

    /// <summary>Emits callback_op register.</summary>
    public void Callback(CallbackType type, Label handler, CallbackFlags flags = CallbackFlags.None)
    {
        ulong request = Guest.Words((ulong)type | ((ulong)flags << 16), 0);
        Guest.Pointer(request + 8, handler);
        Guest.Hypercall(HypercallNumber.CallbackOp, (ulong)CallbackOperation.Register, request);
        Guest.Expect(0, "callback_op");
    }

    /// <summary>Emits stack_switch to a new stack.</summary>
    public void SetKernelStack()
    {
        ulong stack = Guest.ReservePages();
        Guest.Hypercall(HypercallNumber.StackSwitch, FlatSelectors.KernelSs, stack + Page.Size);
        Guest.Expect(0, "stack_switch");
    }

    /// <summary>Emits mmuext_op NEW_USER_BASEPTR with the kernel's own tables.</summary>
    public void SetUserTables()
    {
        ulong operation = Guest.Words((ulong)MmuextCommand.NewUserBaseptr, 0, 0);
        Code.mov(rax, Guest.StartInfoSlot);
        Code.mov(rax, __[rax]);
        Code.mov(rcx, __[rax + StartInfoPageTable]);
        Code.mov(rdx, Guest.VirtBase);
        Code.sub(rcx, rdx);
        Code.shr(rcx, (byte)Page.Shift);
        Code.mov(rdx, __[rax + StartInfoFrameList]);
        Code.mov(rcx, __[rdx + rcx * 8]);
        Code.mov(rax, operation + 8);
        Code.mov(__[rax], rcx);
        Guest.Hypercall(HypercallNumber.MmuextOp, operation, 1, 0, DomId.Self.Value);
        Guest.Expect(0, "new_user_baseptr");
    }

    /// <summary>Emits update_va_mapping of a page to the shared_info.</summary>
    public void MapSharedInfo()
    {
        SharedInfo = Guest.ReservePages();
        Code.mov(rax, Guest.StartInfoSlot);
        Code.mov(rax, __[rax]);
        Code.mov(rsi, __[rax + StartInfoSharedInfo]);
        Code.or(rsi, (int)PageFlags);
        Code.mov(rdi, SharedInfo);
        Code.mov(edx, 2);
        Guest.Hypercall(HypercallNumber.UpdateVaMapping);
        Guest.Expect(0, "map shared_info");
    }

    /// <summary>Emits iret to user mode at a label.</summary>
    public void EnterUser(Label target, ulong stack)
    {
        ulong slot = Guest.Words(0);
        Guest.Pointer(slot, target);
        ReturnToUser(slot, stack);
    }

    /// <summary>Emits iret to user mode at the address that a word holds.</summary>
    public void ReturnToUser(ulong slot, ulong stack)
    {
        const int UserSs = 0x2B, UserCs = 0x33;
        Code.push(UserSs);
        Code.mov(rax, stack);
        Code.push(rax);
        Code.push((int)(RFlags.Fixed | RFlags.Interrupt));
        Code.push(UserCs);
        Code.mov(rax, slot);
        Code.push(__qword_ptr[rax]);
        for (int i = 0; i < 4; i++)
            Code.push(0);
        Guest.Hypercall(HypercallNumber.Iret);
    }

    /// <summary>Emits the end of a handler whose frame is [rcx r11] rip cs rflags rsp ss.</summary>
    public void ReturnFromHandler()
    {
        Code.pop(rcx);
        Code.pop(r11);
        Code.push(0);
        Code.push(rcx);
        Code.push(r11);
        Code.push(rax);
        Guest.Hypercall(HypercallNumber.Iret);
    }

    /// <summary>Emits a check of a word in memory.</summary>
    public void ExpectWord(ulong address, long value, string what)
    {
        Code.mov(rax, address);
        Code.mov(rax, __[rax]);
        Guest.Expect(value, what);
    }

    /// <summary>Emits code that adds one to a word; changes nothing else but flags.</summary>
    public void Increment(ulong address)
    {
        Code.push(rbx);
        Code.mov(rbx, address);
        Code.inc(__qword_ptr[rbx]);
        Code.pop(rbx);
    }

    /// <summary>Runs it to its end.</summary>
    public DomainOutcome Run(int vcpus = 1)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, Guest.Build().Elf);
            using LocalToolstack machine = LocalToolstack.Start(new MachineOptions(64));
            using IRunningDomain domain = machine.CreateDomain(new DomainConfig
            {
                Name = "small", Kernel = file, MemoryMiB = 64, MaxMemoryMiB = 64, Vcpus = vcpus, MaxVcpus = vcpus,
                CpuEngine = "interpreter", OnPoweroff = ShutdownAction.Destroy, OnCrash = ShutdownAction.Destroy,
            });
            domain.Unpause();
            if (!domain.Completion.Wait(TimeSpan.FromMinutes(2)))
                Assert.Fail($"the guest does not end:\n{domain.DescribeCounters()}\n{machine.DebugKey('d')}");
            return domain.Completion.Result;
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Runs it and expects it to power off.</summary>
    public void RunToPowerOff(int vcpus = 1)
    {
        DomainOutcome outcome = Run(vcpus);
        Assert.True(outcome.Reason == Toolstack.ShutdownReason.Poweroff, Explain(outcome));
    }

    /// <summary>Runs it and expects it to crash for a reason.</summary>
    public void RunToCrash(string reason)
    {
        DomainOutcome outcome = Run();
        Assert.True(outcome.Reason == Toolstack.ShutdownReason.Crash, Explain(outcome));
        Assert.Contains(reason, outcome.Report, StringComparison.Ordinal);
    }

    private static string Explain(DomainOutcome outcome) =>
        new StringBuilder().Append(outcome.Reason).Append('\n').Append(outcome.Report).ToString();
}
