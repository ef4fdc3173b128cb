using Iced.Intel;
using Xen.Abi;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Core.Tests.Guests;

/// <summary>Traps, system calls and returns, as guest code lives through them.</summary>
public sealed class TrapGuestTests
{
    private const byte ForEverybody = 3;
    private const uint FinishCall = 99;
    private const ulong Unmapped = 0x55_5000;

    [Fact]
    public void UserProgram_FaultsAndCalls_AndItsRegistersSurvive()
    {
        var guest = new SmallGuest();
        Assembler code = guest.Code;
        Label finish = code.CreateLabel();
        ulong calls = guest.Guest.Words(0), interrupts = guest.Guest.Words(0), undefineds = guest.Guest.Words(0), breakpoints = guest.Guest.Words(0);
        ulong protections = guest.Guest.Words(0), faults = guest.Guest.Words(0), address = guest.Guest.Words(0), wrongs = guest.Guest.Words(0);
        ulong userStack = guest.Guest.ReservePages() + Page.Size;
        guest.MapSharedInfo();

        guest.Gate(TrapVector.InvalidOpcode, CountingHandler(guest, undefineds, instructionLength: 2));
        guest.Gate(TrapVector.Breakpoint, CountingHandler(guest, breakpoints), ForEverybody);
        guest.Gate((TrapVector)0x80, CountingHandler(guest, interrupts), ForEverybody);
        guest.Gate(TrapVector.GeneralProtection, guest.Routine(() =>
        {
            // hlt is one byte and #GP(0); int 0x21 is two and #GP(0x10a).
            AddErrorCode(guest, protections);
            code.mov(eax, 1);
            code.cmp(__dword_ptr[rsp + 16], 1);
            code.sbb(eax, -1);
            DropErrorCode(code);
            code.add(__[rsp + 16], rax);
            guest.ReturnFromHandler();
        }));
        guest.Gate(TrapVector.PageFault, guest.Routine(() =>
        {
            AddErrorCode(guest, faults);
            code.mov(rcx, guest.SharedInfo + VcpuInfoLayout.Cr2);
            code.mov(rcx, __[rcx]);
            code.mov(rax, address);
            code.mov(__[rax], rcx);
            DropErrorCode(code);
            code.add(__qword_ptr[rsp + 16], 3);
            guest.ReturnFromHandler();
        }), TrapInfo.MaskEventsFlag);
        Label systemCall = guest.Routine(() =>
        {
            code.cmp(eax, FinishCall);
            code.je(finish);
            guest.Increment(calls);
            guest.ReturnFromHandler();
        });
        Label user = guest.Routine(() => EmitUserProgram(code, wrongs));

        guest.SetTrapTable();
        guest.Callback(CallbackType.Syscall, systemCall, CallbackFlags.MaskEvents);
        guest.SetKernelStack();
        guest.SetUserTables();
        guest.EnterUser(user, userStack);

        code.Label(ref finish);
        guest.ExpectWord(calls, 3, "system calls");
        guest.ExpectWord(interrupts, 3, "int 0x80");
        guest.ExpectWord(undefineds, 3, "ud2");
        guest.ExpectWord(breakpoints, 3, "int3");
        guest.ExpectWord(protections, 3 * ((0x21 * 8) + 2), "error codes of #GP");
        guest.ExpectWord(faults, 3 * (int)PageFaultErrorCode.User, "error codes of #PF");
        guest.ExpectWord(address, (long)Unmapped, "cr2");
        guest.ExpectWord(wrongs, 0, "wrong registers after a return");
        guest.Guest.PowerOff();
        guest.RunToPowerOff();
    }

    [Fact]
    public void KernelFaults_StayOnTheirStack_AndSeeTheKernelsSelector()
    {
        var guest = new SmallGuest();
        Assembler code = guest.Code;
        ulong error = guest.Guest.Words(0), selector = guest.Guest.Words(0), breakpoints = guest.Guest.Words(0);
        guest.Gate(TrapVector.Breakpoint, CountingHandler(guest, breakpoints), ForEverybody);
        guest.Gate(TrapVector.PageFault, guest.Routine(() =>
        {
            AddErrorCode(guest, error);
            code.mov(rax, __[rsp + 32]);
            code.mov(rcx, selector);
            code.mov(__[rcx], rax);
            DropErrorCode(code);
            code.add(__qword_ptr[rsp + 16], 3);
            guest.ReturnFromHandler();
        }));
        guest.SetTrapTable();
        code.mov(r12, rsp);
        code.mov(rcx, Unmapped);
        code.mov(__[rcx], rax);
        code.int3();
        code.mov(rax, r12);
        code.sub(rax, rsp);
        guest.Guest.Expect(0, "stack pointer");
        guest.ExpectWord(error, (int)PageFaultErrorCode.Write, "error code of a kernel's write");
        guest.ExpectWord(selector, 0xE030 | (1L << 32), "cs with the event mask");
        guest.ExpectWord(breakpoints, 1, "int3");
        guest.Guest.PowerOff();
        guest.RunToPowerOff();
    }

    [Fact]
    public void PrivilegedInstructions_OfTheKernel_AreEmulated()
    {
        var guest = new SmallGuest();
        Assembler code = guest.Code;
        ulong protections = guest.Guest.Words(0);
        guest.Gate(TrapVector.GeneralProtection, guest.Routine(() =>
        {
            guest.Increment(protections);
            DropErrorCode(code);
            code.add(__qword_ptr[rsp + 16], 2);
            guest.ReturnFromHandler();
        }));
        guest.SetTrapTable();
        code.cli();
        code.sti();
        code.mov(rax, cr0);
        guest.Guest.Expect(0x8005_0033, "cr0");
        code.mov(ecx, 0xC000_0100);
        code.mov(eax, 0x1234_5000);
        code.mov(edx, 0x7F);
        code.wrmsr();
        code.xor(eax, eax);
        code.rdmsr();
        guest.Guest.Expect(0x1234_5000, "fs base");
        code.mov(edx, 0x3F8);
        code.xor(eax, eax);
        code.@in(al, dx);
        guest.Guest.Expect(0xFF, "an empty port");
        code.mov(eax, CpuidLeaves.First);
        code.db(0x0F, 0x0B, (byte)'x', (byte)'e', (byte)'n', 0x0F, 0xA2);
        code.mov(eax, ebx);
        guest.Guest.Expect(CpuidLeaves.SignatureEbx, "forced cpuid");
        code.mov(ecx, 0xDEAD);
        code.rdmsr();
        guest.ExpectWord(protections, 1, "#GP of an unknown register");
        guest.Guest.PowerOff();
        guest.RunToPowerOff();
    }

    [Fact]
    public void EventsToItself_EnterTheCallback_OnceEach()
    {
        const int Count = 50;
        var guest = new SmallGuest();
        Assembler code = guest.Code;
        Label again = code.CreateLabel();
        ulong upcalls = guest.Guest.Words(0), request = guest.Guest.Words(0);
        guest.MapSharedInfo();
        guest.Callback(CallbackType.Event, guest.Routine(() => EmitEventHandler(guest, upcalls)));
        guest.Guest.Hypercall(HypercallNumber.EventChannelOp, (ulong)EventChannelOperation.BindIpi, request);
        guest.Guest.Expect(0, "bind_ipi");

        // The port comes behind the vCPU's number; send wants it in front.
        code.mov(rax, request);
        code.mov(ecx, __dword_ptr[rax + 4]);
        code.mov(__dword_ptr[rax], ecx);

        // While events are masked nothing happens; after that any hypercall looks at them.
        guest.Guest.Hypercall(HypercallNumber.EventChannelOp, (ulong)EventChannelOperation.Send, request);
        guest.Guest.Expect(0, "send");
        guest.ExpectWord(upcalls, 0, "upcalls while masked");
        code.mov(rax, guest.SharedInfo);
        code.mov(__byte_ptr[rax + VcpuInfoLayout.UpcallMask], 0);
        guest.Guest.Hypercall(HypercallNumber.XenVersion, 0);
        guest.ExpectWord(upcalls, 1, "upcalls after unmasking");

        code.mov(r13d, Count - 1);
        code.Label(ref again);
        guest.Guest.Hypercall(HypercallNumber.EventChannelOp, (ulong)EventChannelOperation.Send, request);
        code.dec(r13d);
        code.jnz(again);
        guest.ExpectWord(upcalls, Count, "upcalls");
        code.mov(rax, guest.SharedInfo);
        code.movzx(eax, __byte_ptr[rax + VcpuInfoLayout.UpcallMask]);
        guest.Guest.Expect(0, "event mask after the last return");
        guest.Guest.PowerOff();
        guest.RunToPowerOff();
    }

    [Fact]
    public void FailedReturn_CallsTheFailsafeCallback()
    {
        const ulong Nowhere = 0x1234_5678_0000_0000;
        const int RipInFrame = 6 * 8;
        var guest = new SmallGuest();
        Assembler code = guest.Code;
        Label failsafe = guest.Routine(() =>
        {
            code.mov(rax, __[rsp + RipInFrame]);
            guest.Guest.Expect((long)Nowhere, "rip in the failsafe frame");
            guest.Guest.PowerOff();
        });
        guest.Callback(CallbackType.Failsafe, failsafe, CallbackFlags.MaskEvents);
        guest.SetKernelStack();
        guest.SetUserTables();
        ulong target = guest.Guest.Words(Nowhere);
        guest.ReturnToUser(target, stack: 0);
        guest.RunToPowerOff();
    }

    [Fact]
    public void FaultWithoutHandler_EndsTheDomainOnly()
    {
        var guest = new SmallGuest();
        guest.Code.ud2();
        guest.RunToCrash("unhandled exception");
    }

    [Fact]
    public void FaultWithoutStack_IsATripleFault()
    {
        var guest = new SmallGuest();
        guest.Gate(TrapVector.InvalidOpcode, guest.Routine(() => guest.Code.ud2()));
        guest.SetTrapTable();
        guest.Code.mov(rsp, 0x1000);
        guest.Code.ud2();
        guest.RunToCrash("triple fault");
    }

    /// <summary>All the ways to the kernel, three times; then a system call that ends the test.</summary>
    private static void EmitUserProgram(Assembler code, ulong wrongs)
    {
        code.mov(rbx, 0x1111_2222_3333_4444);
        code.mov(r12, rsp);
        for (int i = 0; i < 3; i++)
        {
            code.mov(eax, 5);
            code.syscall();
            CheckUser(code, wrongs);
            code.@int(0x80);
            CheckUser(code, wrongs);
            code.ud2();
            CheckUser(code, wrongs);
            code.mov(rcx, Unmapped);
            code.mov(rax, __[rcx]);
            CheckUser(code, wrongs);
            code.int3();
            code.hlt();
            code.@int(0x21);
            CheckUser(code, wrongs);
        }

        code.mov(eax, FinishCall);
        code.syscall();
    }

    private static void EmitEventHandler(SmallGuest guest, ulong upcalls)
    {
        Assembler code = guest.Code;
        code.push(rax);
        code.push(rbx);
        guest.Increment(upcalls);
        code.mov(rbx, guest.SharedInfo);
        code.mov(__byte_ptr[rbx + VcpuInfoLayout.UpcallPending], 0);
        code.xor(eax, eax);
        code.xchg(__[rbx + VcpuInfoLayout.PendingSel], rax);
        code.xor(eax, eax);
        code.xchg(__[rbx + SharedInfoLayout.EvtchnPending], rax);
        code.pop(rbx);
        code.pop(rax);
        guest.ReturnFromHandler();
    }

    private static Label CountingHandler(SmallGuest guest, ulong counter, int instructionLength = 0) => guest.Routine(() =>
    {
        guest.Increment(counter);
        guest.Code.add(__qword_ptr[rsp + 16], instructionLength);
        guest.ReturnFromHandler();
    });

    /// <summary>Adds the error code at [rsp + 16] to a word; changes rax and rcx.</summary>
    private static void AddErrorCode(SmallGuest guest, ulong sum)
    {
        guest.Code.mov(rax, __[rsp + 16]);
        guest.Code.mov(rcx, sum);
        guest.Code.add(__[rcx], rax);
    }

    /// <summary>Takes the error code out of the frame; changes nothing else but rcx and r11, which the frame has.</summary>
    private static void DropErrorCode(Assembler code)
    {
        code.pop(rcx);
        code.pop(r11);
        code.add(rsp, 8);
        code.push(r11);
        code.push(rcx);
    }

    /// <summary>Counts when rbx or rsp are not what they were.</summary>
    private static void CheckUser(Assembler code, ulong wrongs)
    {
        Label right = code.CreateLabel(), wrong = code.CreateLabel();
        code.mov(rdx, 0x1111_2222_3333_4444);
        code.cmp(rbx, rdx);
        code.jne(wrong);
        code.cmp(rsp, r12);
        code.je(right);
        code.Label(ref wrong);
        code.mov(rdx, wrongs);
        code.inc(__qword_ptr[rdx]);
        code.Label(ref right);
        code.nop();
    }
    [Fact]
    public void Nmi_EntersItsHandler_AndAnotherWaitsForIret()
    {
        var guest = new SmallGuest();
        ulong depth = guest.Guest.Words(0), count = guest.Guest.Words(0);
        Label handler = guest.Routine(() =>
        {
            guest.Code.push(rax);
            guest.ExpectWord(depth, 0, "not nested");
            guest.Increment(depth);
            guest.Increment(count);
            Label second = guest.Code.CreateLabel();
            guest.Code.mov(rax, count);
            guest.Code.cmp(__qword_ptr[rax], 1);
            guest.Code.jne(second);
            guest.Guest.Hypercall(HypercallNumber.VcpuOp, (ulong)VcpuOperation.SendNmi, 0, 0);
            guest.Guest.Expect(0, "send_nmi in the handler");
            guest.Guest.Yield();
            guest.Code.Label(ref second);
            guest.Code.mov(rax, depth);
            guest.Code.dec(__qword_ptr[rax]);
            guest.Code.pop(rax);
            guest.ReturnFromHandler();
        });
        guest.Gate(TrapVector.Nmi, handler);
        guest.SetTrapTable();
        guest.Guest.Hypercall(HypercallNumber.VcpuOp, (ulong)VcpuOperation.SendNmi, 0, 1);
        guest.Guest.Expect(-(long)XenErrno.EINVAL, "send_nmi with an argument");
        guest.Guest.Hypercall(HypercallNumber.VcpuOp, (ulong)VcpuOperation.SendNmi, 0, 0);
        guest.Guest.Expect(0, "send_nmi");
        guest.ExpectWord(count, 2, "both have come");
        guest.ExpectWord(depth, 0, "and gone");
        guest.Guest.PowerOff();
        guest.RunToPowerOff();
    }
}
