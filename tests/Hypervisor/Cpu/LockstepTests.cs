using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>The engine that compares: a wrong translation is found, and what others do to the guest's memory is not taken for one.</summary>
public sealed class LockstepTests
{
    private const uint Right = 0x1234_5678, Wrong = 0x1234_5679;

    [Theory]
    [InlineData(1, false)]
    [InlineData(20, true)]
    public void WrongTranslation_IsFound(int runsBefore, bool inARun)
    {
        using var vcpu = new TestVcpu(static state => new LockstepEngine(state));
        vcpu.Assemble(a =>
        {
            Label next = a.CreateLabel();
            a.mov(rsi, TestVcpu.DataAddress);
            a.mov(ecx, 3);
            a.Label(ref next);
            a.mov(__dword_ptr[rsi + (rcx * 4)], Right);
            a.dec(ecx);
            a.jne(next);
            a.syscall();
        });
        for (int i = 0; i < runsBefore; i++)
            Run(vcpu);
        PlantMistake(((LockstepEngine)vcpu.Engine).Translator);
        var difference = Assert.Throws<EngineDifferenceException>(() => Run(vcpu));
        Assert.Contains("79563412, the interpreter ", difference.Message, StringComparison.Ordinal);
        Assert.Equal(inARun, difference.Message.Contains("in a run of blocks", StringComparison.Ordinal));
        if (!inARun)
            Assert.Contains("mov dword ptr [rsi+rcx*4],12345678h", difference.Message, StringComparison.Ordinal);
    }

    /// <summary>Another thread counts in the page where the guest counts, and the guest adds up what it reads of it.</summary>
    [Fact]
    public void WhatOthersWrite_IsNoDifference_AndWhatTheGuestWrites_IsNeverTakenBack()
    {
        const int Times = 200_000;
        using var vcpu = new TestVcpu(static state => new LockstepEngine(state));
        vcpu.Assemble(a =>
        {
            Label next = a.CreateLabel(), even = a.CreateLabel();
            a.mov(rsi, TestVcpu.DataAddress);
            a.mov(ecx, Times);
            a.xor(eax, eax);
            a.Label(ref next);
            a.inc(eax);
            a.mov(__dword_ptr[rsi], eax);
            a.mov(edx, __dword_ptr[rsi + 8]); // the other's
            a.add(rbx, rdx);
            a.test(dl, 1);
            a.je(even);
            a.xor(edi, edi);
            a.xchg(__dword_ptr[rsi + 16], edi);
            a.Label(ref even);
            a.dec(ecx);
            a.jne(next);
            a.syscall();
        });
        using var over = new ManualResetEventSlim();
        bool wentBack = false;
        var other = new Thread(() =>
        {
            Span<byte> page = vcpu.At(TestVcpu.DataAddress);
            uint count = 0, last = 0;
            while (!over.IsSet)
            {
                count++;
                BinaryPrimitives.WriteUInt32LittleEndian(page[8..], count);
                BinaryPrimitives.WriteUInt32LittleEndian(page[16..], 1);
                uint seen = BinaryPrimitives.ReadUInt32LittleEndian(page);
                wentBack |= seen < last;
                last = seen;
                Thread.SpinWait(20);
            }
        });
        other.Start();
        try
        {
            Run(vcpu);
        }
        finally
        {
            over.Set();
            other.Join();
        }

        Assert.Equal((ulong)Times, vcpu.State.Registers.Gpr[0]);
        Assert.False(wentBack);
    }

    private static void Run(TestVcpu vcpu)
    {
        vcpu.State.Registers.Rip = TestVcpu.CodeAddress;
        CpuExit exit;
        do
            exit = vcpu.Run();
        while (exit.Reason is CpuExitReason.BudgetSpent or CpuExitReason.Request);
        Assert.Equal(CpuExitReason.Hypercall, exit.Reason);
    }

    /// <summary>Changes a number in all code that has been emitted.</summary>
    private static void PlantMistake(Translator translator)
    {
        Span<byte> right = stackalloc byte[4], wrong = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(right, Right);
        BinaryPrimitives.WriteUInt32LittleEndian(wrong, Wrong);
        int planted = 0;
        for (int at = 0; at + 4 <= translator.Cache.Memory.Size; at++)
        {
            int next = translator.Cache.Memory.Read(at, translator.Cache.Memory.Size - at).IndexOf(right);
            if (next < 0)
                break;
            at += next;
            translator.Cache.Memory.Overwrite(at, wrong);
            planted++;
        }

        Assert.NotEqual(0, planted);
    }
}
