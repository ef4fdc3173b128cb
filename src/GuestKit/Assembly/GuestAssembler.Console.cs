using Iced.Intel;
using Xen.Abi;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.GuestKit.Assembly;

/// <summary>Output: the hypervisor's console (console_io) and the domain's own console ring. <b>Source</b>: xen.h, io/console.h.</summary>
public sealed partial class GuestAssembler
{
    // Of struct start_info: console.domU.evtchn.
    private const int StartInfoConsoleEvtchn = 80;

    // The bootstrap elements follow each other: start_info, xenstore ring, console ring.
    private const int ConsoleFromStartInfo = 2 * Page.Size;

    private const int HexBufferSize = 16;

    private Label _putHex;
    private Label _putRing;
    private ulong _hexBuffer;
    private bool _usesHex;
    private bool _usesRing;

    /// <summary>Writes a string with console_io. A domain that may not use it loses the text.</summary>
    public void Print(string text) => Hypercall(HypercallNumber.ConsoleIo, (ulong)ConsoleIoOperation.Write, (ulong)text.Length, Text(text));

    /// <summary>Writes a register's value with console_io, as 16 hexadecimal digits.</summary>
    public void PrintHex(AssemblerRegister64 register)
    {
        if (register != rdi)
        {
            Code.mov(rdi, register);
        }

        PrintHexOfRdi();
    }

    /// <summary>Writes a string into the domain's console ring and notifies its event channel.</summary>
    public void PrintRing(string text)
    {
        if (!_usesRing)
        {
            _putRing = Code.CreateLabel("put_ring");
            _usesRing = true;
        }

        Code.mov(rdi, Text(text));
        Code.mov(esi, (uint)text.Length);
        Code.call(_putRing);
    }

    private void PrintHexOfRdi()
    {
        if (!_usesHex)
        {
            _putHex = Code.CreateLabel("put_hex");
            _hexBuffer = Reserve(HexBufferSize);
            _usesHex = true;
        }

        Code.call(_putHex);
    }

    /// <summary>The shared routines that the code called, after its end.</summary>
    private void EmitRoutines()
    {
        if (_usesHex)
        {
            EmitPutHex();
        }

        if (_usesRing)
        {
            EmitPutRing();
        }
    }

    /// <summary>put_hex: rdi = value.</summary>
    private void EmitPutHex()
    {
        var next = Code.CreateLabel();
        var digit = Code.CreateLabel();
        Code.Label(ref _putHex);
        Code.mov(rsi, _hexBuffer);
        Code.mov(ecx, HexBufferSize);
        Code.Label(ref next);
        Code.rol(rdi, 4);
        Code.mov(eax, edi);
        Code.and(eax, 15);
        Code.add(eax, '0');
        Code.cmp(eax, '9');
        Code.jbe(digit);
        Code.add(eax, 'a' - '9' - 1);
        Code.Label(ref digit);
        Code.mov(__byte_ptr[rsi], al);
        Code.inc(rsi);
        Code.dec(ecx);
        Code.jnz(next);
        Hypercall(HypercallNumber.ConsoleIo, (ulong)ConsoleIoOperation.Write, HexBufferSize, _hexBuffer);
        Code.ret();
    }

    /// <summary>
    /// put_ring: rdi = text, esi = length. Waits, yielding, while the ring is full; publishes each byte after it is written.
    /// </summary>
    private void EmitPutRing()
    {
        var next = Code.CreateLabel();
        var full = Code.CreateLabel();
        var done = Code.CreateLabel();
        var send = Words(0);
        Code.Label(ref _putRing);
        Code.push(rbx);
        Code.push(r12);
        Code.push(r13);
        Code.mov(r12, rdi);
        Code.mov(r13d, esi);
        Code.mov(rax, StartInfoSlot);
        Code.mov(rbx, __[rax]);
        Code.Label(ref next);
        Code.test(r13d, r13d);
        Code.jz(done);
        Code.Label(ref full);
        Code.mov(eax, __dword_ptr[rbx + ConsoleFromStartInfo + ConsoleInterfaceLayout.OutProd]);
        Code.mov(ecx, eax);
        Code.sub(ecx, __dword_ptr[rbx + ConsoleFromStartInfo + ConsoleInterfaceLayout.OutCons]);
        Code.cmp(ecx, ConsoleInterfaceLayout.OutSize);
        var room = Code.CreateLabel();
        Code.jb(room);
        EmitNotifyConsole(send);
        Yield();
        Code.jmp(full);
        Code.Label(ref room);
        Code.mov(ecx, eax);
        Code.and(ecx, ConsoleInterfaceLayout.OutSize - 1);
        Code.mov(dl, __byte_ptr[r12]);
        Code.mov(__byte_ptr[rbx + rcx + (ConsoleFromStartInfo + ConsoleInterfaceLayout.Out)], dl);
        Code.inc(eax);
        Code.mov(__dword_ptr[rbx + ConsoleFromStartInfo + ConsoleInterfaceLayout.OutProd], eax);
        Code.inc(r12);
        Code.dec(r13d);
        Code.jmp(next);
        Code.Label(ref done);
        EmitNotifyConsole(send);
        Code.pop(r13);
        Code.pop(r12);
        Code.pop(rbx);
        Code.ret();
    }

    /// <summary>Sends the console's event; rbx = start_info.</summary>
    private void EmitNotifyConsole(ulong argument)
    {
        Code.mov(eax, __dword_ptr[rbx + StartInfoConsoleEvtchn]);
        Code.mov(rsi, argument);
        Code.mov(__dword_ptr[rsi], eax);
        Code.mov(edi, (uint)EventChannelOperation.Send);
        Hypercall(HypercallNumber.EventChannelOp);
    }
}
