using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>Guest code whose translation is kept as text. One thing each; add what a change of the translator is about.</summary>
internal static class GoldenSequences
{
    private const ulong Data = TestVcpu.DataAddress;

    public static IReadOnlyList<(string Name, Action<Assembler> Code)> All { get; } =
    [
        .. Registers(), .. Memory(), .. LiveFlags(), .. Stack(), .. Flow(), .. Groups(), .. Special(), .. Vectors(), .. Encoded(), .. Interpreted(), .. Extended(),
    ];

    private static (string, Action<Assembler>)[] Registers() =>
    [
        ("add of two registers", a => a.add(rax, rbx)),
        ("add to a displaced register", a => a.add(r10, rbx)),
        ("add of two displaced registers", a => a.add(r14, r15)),
        ("add of a displaced register to itself", a => a.add(r11, r11)),
        ("mov to a displaced register does not load it", a => a.mov(r15, rax)),
        ("mov to the low byte of a displaced register loads it", a => a.mov(r15b, al)),
        ("mov between rsp and a register", a => { a.mov(rbp, rsp); a.mov(rsp, r10); }),
        ("32-bit and 16-bit forms", a => { a.add(r10d, 5); a.add(r10w, 5); }),
        ("high byte registers", a => a.add(ah, bh)),
        ("cmov to a displaced register", a => a.cmove(r10d, ecx)),
        ("setcc of a displaced register", a => a.setne(r11b)),
        ("shift by cl", a => a.shl(r14, cl)),
        ("mul by a displaced register", a => a.mul(r10)),
        ("xchg of displaced registers", a => a.xchg(r10, r11)),
        ("bswap and movsxd", a => { a.bswap(r10); a.movsxd(r11, r10d); }),
        ("lea, all parts", a => a.lea(rax, __[rbx + (rcx * 4) + 0x100])),
        ("lea of displaced registers", a => a.lea(r10, __[r11 + (r14 * 8) - 8])),
        ("lea, 32-bit address", a => a.lea(rax, __[ebx + 4])),
        ("segment register to register", a => { a.mov(eax, ds); a.mov(r10d, cs); }),
    ];

    private static (string, Action<Assembler>)[] Memory() =>
    [
        ("load", a => Dead(a, () => a.mov(rax, __qword_ptr[rbx + 8]))),
        ("store", a => Dead(a, () => a.mov(__qword_ptr[rbx + 8], rax))),
        ("load of a byte", a => Dead(a, () => a.movzx(eax, __byte_ptr[rbx]))),
        ("store of a displaced register", a => Dead(a, () => a.mov(__qword_ptr[rbx], r10))),
        ("load over a displaced base", a => Dead(a, () => a.mov(rax, __qword_ptr[r10 + 8]))),
        ("load over a displaced base and index to a displaced register", a => Dead(a, () => a.mov(r15, __qword_ptr[r10 + (r11 * 4) + 8]))),
        ("load over rsp with an index", a => Dead(a, () => a.mov(rax, __qword_ptr[rsp + (rcx * 8)]))),
        ("read, modify, write", a => a.add(__qword_ptr[rbx], rax)),
        ("inc keeps CF", a => a.inc(__dword_ptr[rbx])),
        ("adc reads CF", a => a.adc(__qword_ptr[rbx], 1)),
        ("load of a high byte", a => Dead(a, () => a.mov(ah, __byte_ptr[rbx]))),
        ("store of a high byte", a => Dead(a, () => a.mov(__byte_ptr[rbx], dh))),
        ("xadd of a high byte", a => a.xadd(__byte_ptr[rbx], ch)),
        ("rip-relative load", a => Dead(a, () => a.AddInstruction(Instruction.Create(Code.Mov_r64_rm64, Register.RAX, new MemoryOperand(Register.RIP, Register.None, 1, (long)Data, 8))))),
        ("absolute load", a => Dead(a, () => a.mov(rax, __qword_ptr[Data + 16]))),
        ("absolute store over the end of a page", a => Dead(a, () => a.mov(__qword_ptr[Data + 4092], rax))),
        ("gs: load", a => Dead(a, () => a.mov(rax, __qword_ptr.gs[0x28]))),
        ("fs: store over a base", a => Dead(a, () => a.mov(__qword_ptr.fs[rbx + 8], rax))),
        ("32-bit address", a => Dead(a, () => a.mov(rax, __qword_ptr[ebx + 8]))),
        ("64-bit absolute address", a => Dead(a, () => a.db(0x48, 0xA1, 0x08, 0, 0, 0, 0x80, 0xFF, 0xFF, 0xFF))),
        ("lock add checks alignment", a => a.@lock.add(__dword_ptr[rbx], 1)),
        ("xchg with memory checks alignment", a => Dead(a, () => a.xchg(__qword_ptr[rbx], rax))),
        ("lock cmpxchg", a => a.@lock.cmpxchg(__qword_ptr[rbx], r10)),
        ("lock cmpxchg16b", a => a.@lock.cmpxchg16b(__xmmword_ptr[rsi])),
    ];

    private static (string, Action<Assembler>)[] LiveFlags() =>
    [
        ("load while flags are alive", a => a.mov(rax, __qword_ptr[rbx + 8])),
        ("byte load while flags are alive", a => a.mov(al, __byte_ptr[rbx])),
        ("store while flags are alive", a => a.mov(__qword_ptr[rbx + 8], rax)),
        ("load into rcx while flags are alive", a => a.mov(rcx, __qword_ptr[rcx])),
        ("absolute load while flags are alive", a => a.mov(rax, __qword_ptr[Data])),
        ("compare, load, branch", a => Branching(a, target => { a.cmp(rax, rbx); a.mov(rcx, __qword_ptr[rdx]); a.je(target); })),
        ("pop while flags are alive", a => a.pop(rax)),
        ("aligned vector load while flags are alive", a => a.movaps(xmm0, __xmmword_ptr[rbx])),
        ("flags are dead before a test on the same page", a => { a.mov(rax, __qword_ptr[rbx]); a.test(rax, rax); }),
        ("flags are dead over a jump", a => Branching(a, target => { a.mov(rax, __qword_ptr[rbx]); a.jmp(target); })),
    ];

    private static (string, Action<Assembler>)[] Stack() =>
    [
        ("push", a => Dead(a, () => a.push(rax))),
        ("push of a displaced register", a => Dead(a, () => a.push(r15))),
        ("push of rsp", a => Dead(a, () => a.push(rsp))),
        ("push of a constant", a => Dead(a, () => a.push(-5))),
        ("push of memory", a => Dead(a, () => a.push(__qword_ptr[rbx]))),
        ("pop", a => Dead(a, () => a.pop(rax))),
        ("pop of a displaced register", a => Dead(a, () => a.pop(r10))),
        ("leave", a => Dead(a, a.leave)),
        ("function entry", a => { a.push(rbp); a.mov(rbp, rsp); a.push(r14); a.push(rbx); a.sub(rsp, 16); }),
        ("function exit", a => { a.add(rsp, 16); a.pop(rbx); a.pop(r14); a.pop(rbp); a.ret(); }),
    ];

    private static (string, Action<Assembler>)[] Flow() =>
    [
        ("jmp forward", a => Branching(a, target => a.jmp(target))),
        ("jmp to itself", a => { Label self = a.CreateLabel(); a.Label(ref self); a.jmp(self); }),
        ("jcc forward, then more", a => Branching(a, target => { a.jb(target); a.inc(rax); })),
        ("loop", a => { Label loop = a.CreateLabel(); a.Label(ref loop); a.add(rax, rcx); a.dec(rcx); a.jne(loop); }),
        ("call", a => Branching(a, target => a.call(target))),
        ("call of a register", a => a.call(rax)),
        ("call of a displaced register", a => a.call(r11)),
        ("call through memory", a => a.call(__qword_ptr[rbx + (rax * 8)])),
        ("jmp of a register", a => a.jmp(r10)),
        ("jmp through memory", a => a.jmp(__qword_ptr[rbx])),
        ("ret", a => a.ret()),
        ("ret with a constant", a => a.ret(16)),
        ("hypercall", a => a.syscall()),
    ];

    private static (string, Action<Assembler>)[] Groups() =>
    [
        ("two loads over one base", a => Dead(a, () => { a.mov(rax, __qword_ptr[rbx]); a.mov(rcx, __qword_ptr[rbx + 8]); })),
        ("load and store over one base", a => Dead(a, () => { a.mov(rax, __qword_ptr[rbx]); a.mov(__qword_ptr[rbx + 8], rax); })),
        ("two loads while flags are alive", a => { a.mov(rax, __qword_ptr[rbx]); a.mov(rcx, __qword_ptr[rbx + 8]); }),
        ("group over a displaced base", a => Dead(a, () => { a.mov(rax, __qword_ptr[r10]); a.mov(r10, __qword_ptr[r10 + 8]); })),
        ("base moves by a constant", a => Dead(a, () => { a.mov(rax, __qword_ptr[rbx]); a.add(rbx, 16); a.mov(rcx, __qword_ptr[rbx - 8]); })),
        ("base is loaded anew", a => Dead(a, () => { a.mov(rbx, __qword_ptr[rbx]); a.mov(rcx, __qword_ptr[rbx + 8]); })),
        ("too far apart for a group", a => Dead(a, () => { a.mov(rax, __qword_ptr[rbx]); a.mov(rcx, __qword_ptr[rbx + 0x1000]); })),
        ("two groups, one after the other", a => Dead(a, () => { a.mov(rax, __qword_ptr[rbx]); a.mov(rcx, __qword_ptr[rbx + 8]); a.push(rax); a.push(rcx); })),
    ];

    private static (string, Action<Assembler>)[] Special() =>
    [
        ("div", a => a.div(rbx)),
        ("div by memory, 32 bits", a => a.div(__dword_ptr[rbx])),
        ("idiv", a => a.idiv(r10)),
        ("bit test by a constant", a => a.bt(__dword_ptr[rbx], 5)),
        ("bts by a register in memory", a => a.bts(__qword_ptr[rbx], rcx)),
        ("lock btr by a displaced register, 32 bits", a => a.@lock.btr(__dword_ptr[rbx], r10d)),
        ("bt by a register, 16 bits", a => a.bt(__word_ptr[rbx], cx)),
        ("rep stosq", a => Dead(a, () => a.rep.stosq())),
        ("rep movsb", a => Dead(a, () => a.rep.movsb())),
        ("rep movsb while flags are alive", a => a.rep.movsb()),
        ("tzcnt", a => a.db(0xF3, 0x0F, 0xBC, 0xC3)),
        ("nops", a => { a.nop(); a.endbr64(); a.prefetcht0(__byte_ptr[rbx]); }),
        ("fences and pause", a => { a.mfence(); a.lfence(); a.sfence(); a.pause(); }),
    ];

    private static (string, Action<Assembler>)[] Vectors() =>
    [
        ("movups load", a => Dead(a, () => a.movups(xmm1, __xmmword_ptr[rbx]))),
        ("movaps store checks alignment", a => Dead(a, () => a.movaps(__xmmword_ptr[rbx], xmm9))),
        ("paddd with memory", a => Dead(a, () => a.paddd(xmm1, __xmmword_ptr[rsi]))),
        ("cvtsi2sd of a displaced register", a => a.cvtsi2sd(xmm0, r10)),
        ("pmovmskb to a displaced register", a => a.pmovmskb(r14d, xmm3)),
        ("movq between register kinds", a => { a.movq(xmm2, r15); a.movq(r11, xmm2); }),
    ];

    /// <summary>VEX encoding, of the instruction set that the translator itself needs.</summary>
    private static (string, Action<Assembler>)[] Encoded() =>
    [
        ("three registers", a => Dead(a, () => a.pdep(rax, rbx, rcx))),
        ("three displaced registers: the result takes a source's place", a => Dead(a, () => a.pext(r10, r11, r14))),
        ("rsp as an operand", a => Dead(a, () => a.rorx(rax, rsp, 3))),
        ("a displaced register, another, and memory over a third", a => Dead(a, () => a.pdep(r10, r11, __qword_ptr[r15 + 8]))),
        ("two displaced results of memory", a => Dead(a, () => a.mulx(r10, r11, __qword_ptr[rbx]))),
        ("two displaced results of a displaced register", a => Dead(a, () => a.mulx(r11, r10, r10))),
        ("a shift leaves the flags alive", a => a.shlx(eax, __dword_ptr[rbx + 4], ecx)),
        ("bzhi changes the flags", a => a.bzhi(r14, rbx, r15)),
    ];

    private static (string, Action<Assembler>)[] Interpreted() =>
    [
        ("cpuid", a => a.cpuid()),
        ("pushfq ends a block before itself", a => { a.inc(rax); a.pushfq(); }),
        ("x87", a => a.fld1()),
        ("cmpxchg of AH with memory", a => a.cmpxchg(__byte_ptr[rbx], ah)),
    ];

    /// <summary>What hosts with AVX translate: only they look at these sections.</summary>
    private static (string, Action<Assembler>)[] Extended() => !CpuFeatures.OfHost.Has(Leaf1Ecx.Avx) ? [] :
    [
        ("avx: registers of 128 bits", a => a.vpaddd(xmm1, xmm2, xmm3)),
        ("avx: registers of 256 bits are noted once", a => { a.vaddps(ymm1, ymm2, ymm3); a.vmulps(ymm4, ymm1, ymm1); }),
        ("avx: vzeroupper, and in use again", a => { a.vxorps(ymm0, ymm0, ymm0); a.vzeroupper(); a.vmovaps(ymm1, ymm0); }),
        ("avx: unaligned load of 256 bits", a => Dead(a, () => a.vmovdqu(ymm0, __ymmword_ptr[rbx + 8]))),
        ("avx: aligned store of 256 bits", a => Dead(a, () => a.vmovdqa(__ymmword_ptr[r10], ymm9))),
        ("avx: aligned store, flags alive", a => a.vmovdqa(__ymmword_ptr[rbx], ymm0)),
        ("avx: loads that share a check", a => Dead(a, () => { a.vmovdqu(ymm0, __ymmword_ptr[rsi]); a.vmovdqu(ymm1, __ymmword_ptr[rsi + 32]); })),
        ("avx: displaced register of a vector instruction", a => a.vpinsrd(xmm0, xmm1, r10d, 1)),
        ("avx: masked moves are the interpreter's", a => a.vpmaskmovd(ymm0, ymm1, __ymmword_ptr[rbx])),
    ];

    /// <summary>Lets the flags be dead behind what stands before.</summary>
    private static void Dead(Assembler a, Action code)
    {
        code();
        a.xor(edx, edx);
        a.cmp(edx, edx);
    }

    /// <summary>Code with a place to go to, two instructions behind it.</summary>
    private static void Branching(Assembler a, Action<Label> code)
    {
        Label target = a.CreateLabel();
        code(target);
        a.syscall();
        a.Label(ref target);
        a.add(rax, 1);
        a.syscall();
    }
}
