using Iced.Intel;
using Xen.Cpu.Tests;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Interpreter.Bench;

/// <summary>The guest programs. Each ends with SYSCALL and its result in rax.</summary>
internal static class Programs
{
    public static IReadOnlyList<(string Name, Action<Assembler> Program)> All { get; } =
    [
        ("sieve", Sieve),
        ("copy", Copy),
        ("fib", Fibonacci),
        ("bignum", Bignum),
        ("hash", Hash),
        ("list", List),
        ("dispatch", Dispatch),
        ("movs", Strings),
    ];

    /// <summary>Eratosthenes in a byte array of 128 KiB: stores, compares, short loops.</summary>
    private static void Sieve(Assembler a)
    {
        const int Limit = 0x2_0000;
        Label round = a.CreateLabel(), clear = a.CreateLabel(), outer = a.CreateLabel(), inner = a.CreateLabel(), next = a.CreateLabel(), count = a.CreateLabel();
        a.mov(r12d, 60);
        a.mov(rbx, TestVcpu.DataAddress);
        a.Label(ref round);
        a.xor(ecx, ecx);
        a.Label(ref clear);
        a.mov(__byte_ptr[rbx + rcx], 1);
        a.inc(rcx);
        a.cmp(rcx, Limit);
        a.jb(clear);
        a.mov(ecx, 2);
        a.Label(ref outer);
        a.cmp(__byte_ptr[rbx + rcx], 0);
        a.je(next);
        a.mov(rdx, rcx);
        a.imul(rdx, rcx);
        a.cmp(rdx, Limit);
        a.jae(next);
        a.Label(ref inner);
        a.mov(__byte_ptr[rbx + rdx], 0);
        a.add(rdx, rcx);
        a.cmp(rdx, Limit);
        a.jb(inner);
        a.Label(ref next);
        a.inc(rcx);
        a.cmp(rcx, Limit);
        a.jb(outer);
        a.dec(r12d);
        a.jne(round);
        a.xor(eax, eax);
        a.mov(ecx, 2);
        a.Label(ref count);
        a.movzx(edx, __byte_ptr[rbx + rcx]);
        a.add(rax, rdx);
        a.inc(rcx);
        a.cmp(rcx, Limit);
        a.jb(count);
        a.syscall();
    }

    /// <summary>Eight bytes at a time, as a compiler writes it.</summary>
    private static void Copy(Assembler a)
    {
        Label round = a.CreateLabel(), loop = a.CreateLabel();
        a.mov(r12d, 4000);
        a.Label(ref round);
        a.mov(rsi, TestVcpu.DataAddress);
        a.mov(rdi, TestVcpu.DataAddress + 0x8000);
        a.mov(ecx, 0x8000 / 16);
        a.Label(ref loop);
        a.mov(rax, __[rsi]);
        a.mov(rdx, __[rsi + 8]);
        a.mov(__[rdi], rax);
        a.mov(__[rdi + 8], rdx);
        a.add(rsi, 16);
        a.add(rdi, 16);
        a.sub(rcx, 1);
        a.jne(loop);
        a.dec(r12d);
        a.jne(round);
        a.syscall();
    }

    /// <summary>Calls, returns, pushes and pops.</summary>
    private static void Fibonacci(Assembler a)
    {
        Label fib = a.CreateLabel(), small = a.CreateLabel();
        a.mov(edi, 29);
        a.call(fib);
        a.syscall();
        a.Label(ref fib);
        a.cmp(edi, 2);
        a.jb(small);
        a.push(rbx);
        a.push(rdi);
        a.dec(edi);
        a.call(fib);
        a.mov(rbx, rax);
        a.pop(rdi);
        a.sub(edi, 2);
        a.call(fib);
        a.add(rax, rbx);
        a.pop(rbx);
        a.ret();
        a.Label(ref small);
        a.mov(eax, edi);
        a.ret();
    }

    /// <summary>A row of a schoolbook multiplication: what signature checks consist of.</summary>
    private static void Bignum(Assembler a)
    {
        Label round = a.CreateLabel(), loop = a.CreateLabel();
        a.mov(r12d, 100_000);
        a.mov(r8, 0x1234_5678_9ABC_DEF1ul);
        a.mov(__[TestVcpu.DataAddress], r8);
        a.Label(ref round);
        a.mov(rsi, TestVcpu.DataAddress);
        a.mov(rdi, TestVcpu.DataAddress + 0x1000);
        a.mov(ecx, 32);
        a.xor(r9d, r9d);
        a.Label(ref loop);
        a.mov(rax, __[rsi]);
        a.mul(r8);
        a.add(rax, r9);
        a.adc(rdx, 0);
        a.add(__[rdi], rax);
        a.adc(rdx, 0);
        a.mov(r9, rdx);
        a.add(rsi, 8);
        a.add(rdi, 8);
        a.dec(ecx);
        a.jne(loop);
        a.mov(r8, __[rdi - 8]);
        a.or(r8, 1);
        a.dec(r12d);
        a.jne(round);
        a.mov(rax, __[rdi - 16]);
        a.syscall();
    }

    /// <summary>Rotates, shifts and logic in registers.</summary>
    private static void Hash(Assembler a)
    {
        Label loop = a.CreateLabel();
        a.mov(ecx, 3_000_000);
        a.mov(eax, 0x811C_9DC5);
        a.mov(ebx, 0x9E37_79B9);
        a.Label(ref loop);
        a.mov(edx, eax);
        a.rol(edx, 13);
        a.xor(edx, ebx);
        a.mov(esi, eax);
        a.shr(esi, 7);
        a.and(esi, ebx);
        a.add(edx, esi);
        a.ror(ebx, 5);
        a.not(esi);
        a.add(ebx, edx);
        a.lea(eax, __[rdx + rsi * 4 + 7]);
        a.test(eax, 0x80);
        a.cmove(eax, ebx);
        a.dec(ecx);
        a.jne(loop);
        a.syscall();
    }

    /// <summary>A linked list and a table of words: dependent loads, tests, short jumps.</summary>
    private static void List(Assembler a)
    {
        Label build = a.CreateLabel(), round = a.CreateLabel(), walk = a.CreateLabel(), odd = a.CreateLabel(), next = a.CreateLabel();
        a.mov(rbx, TestVcpu.DataAddress);
        a.xor(ecx, ecx);
        a.Label(ref build);
        a.lea(edx, __[rcx + rcx * 2 + 5]);
        a.and(edx, 0x3FF);
        a.shl(edx, 4);
        a.mov(esi, ecx);
        a.shl(esi, 4);
        a.add(rdx, rbx);
        a.mov(__[rbx + rsi], rdx);
        a.mov(__[rbx + rsi + 8], rcx);
        a.inc(ecx);
        a.cmp(ecx, 1024);
        a.jne(build);
        a.mov(r12d, 20000);
        a.xor(eax, eax);
        a.Label(ref round);
        a.mov(rdx, rbx);
        a.mov(ecx, 200);
        a.Label(ref walk);
        a.mov(rsi, __[rdx + 8]);
        a.test(sil, 1);
        a.jne(odd);
        a.add(rax, rsi);
        a.jmp(next);
        a.Label(ref odd);
        a.sub(rax, rsi);
        a.Label(ref next);
        a.mov(rdx, __[rdx]);
        a.sub(ecx, 1);
        a.jne(walk);
        a.dec(r12d);
        a.jne(round);
        a.syscall();
    }

    /// <summary>Indirect calls through a table.</summary>
    private static void Dispatch(Assembler a)
    {
        Label loop = a.CreateLabel(), one = a.CreateLabel(), two = a.CreateLabel();
        a.mov(rbx, TestVcpu.DataAddress);
        a.lea(rax, __[one]);
        a.mov(__[rbx], rax);
        a.lea(rax, __[two]);
        a.mov(__[rbx + 8], rax);
        a.mov(ecx, 2_000_000);
        a.xor(eax, eax);
        a.Label(ref loop);
        a.mov(edx, ecx);
        a.shr(edx, 1);
        a.and(edx, 1);
        a.call(__qword_ptr[rbx + rdx * 8]);
        a.dec(ecx);
        a.jne(loop);
        a.syscall();
        a.Label(ref one);
        a.add(rax, 3);
        a.ret();
        a.Label(ref two);
        a.xor(rax, 0x55);
        a.ret();
    }

    /// <summary>Repeated string instructions of a typical length.</summary>
    private static void Strings(Assembler a)
    {
        Label loop = a.CreateLabel();
        a.mov(r12d, 2_000_000);
        a.mov(rbx, TestVcpu.DataAddress);
        a.Label(ref loop);
        a.mov(rsi, rbx);
        a.lea(rdi, __[rbx + 0x2000]);
        a.mov(ecx, 48);
        a.rep.movsb();
        a.mov(ecx, 8);
        a.xor(eax, eax);
        a.rep.stosq();
        a.dec(r12d);
        a.jne(loop);
        a.mov(rax, rdi);
        a.syscall();
    }
}
