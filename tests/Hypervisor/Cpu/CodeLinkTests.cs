using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Cpu.Tests;

/// <summary>Going from code to code in ways that random programs come upon rarely.</summary>
public abstract class CodeLinkTests(string engine)
{
    /// <summary>The two targets lie so close that they share an entry of the jump table, and at one of them flags are dead.</summary>
    [Fact]
    public void IndirectBranch_ThatMeetsAnotherTargetsEntry_KeepsTheFlags()
    {
        using var vcpu = new TestVcpu(engine);
        ulong function = TestVcpu.Base + (4 * 4096);
        vcpu.Load(Convert.FromHexString("83C001" + "0F94C3" + "0F05"), function); // add eax, 1; sete bl; syscall
        vcpu.Assemble(a =>
        {
            Label second = a.CreateLabel();
            a.cmp(esi, 0);
            a.jne(second);
            a.cmp(esi, esi);
            a.mov(ecx, (uint)function + 3);
            a.jmp(rcx);
            a.Label(ref second);
            a.mov(ecx, (uint)function);
            a.jmp(rcx);
        });
        foreach (ulong way in (ReadOnlySpan<ulong>)[0, 1, 0, 1, 0])
        {
            vcpu.State.Registers.Rip = TestVcpu.CodeAddress;
            vcpu.State.Registers.Gpr[6] = way;
            vcpu.State.Registers.Gpr[0] = vcpu.State.Registers.Gpr[3] = 0;
            Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
            Assert.Equal(way, vcpu.State.Registers.Gpr[0]);
            Assert.Equal(way == 0 ? 1ul : 0, vcpu.State.Registers.Gpr[3]);
        }
    }

    /// <summary>A jump was linked to code that kills the flags; now other code is there, which reads them.</summary>
    [Fact]
    public void JumpToAnotherPage_ThatIsMappedToOtherCode_KeepsTheFlags()
    {
        const int page = 4, otherPage = 5;
        ulong target = TestVcpu.Base + (page * 4096);
        using var vcpu = new TestVcpu(engine);
        vcpu.Load(Convert.FromHexString("83C001" + "0F05"), target); // add eax, 1; syscall
        vcpu.Load(Convert.FromHexString("0F94C3" + "0F05"), target + 4096); // sete bl; syscall
        vcpu.Assemble(a =>
        {
            a.cmp(ecx, ecx);
            a.jmp(target);
        });
        for (int i = 0; i < 6; i++)
        {
            vcpu.Alias(i % 2 == 0 ? page : otherPage, page);
            vcpu.State.FlushTlb();
            vcpu.State.Registers.Rip = TestVcpu.CodeAddress;
            vcpu.State.Registers.Gpr[3] = 0;
            Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
            Assert.Equal((ulong)(i % 2), vcpu.State.Registers.Gpr[3]);
        }
    }

    [Theory]
    [InlineData(0x1234, 0x34, 0x1234, 0x12, true)]
    [InlineData(0x1234, 0x12, 0x1212, 0x12, false)]
    public void CompareExchange_OfMemoryWithAh_ComparesAl(ulong rax, byte memory, ulong after, byte memoryAfter, bool equal)
    {
        using var vcpu = new TestVcpu(engine);
        vcpu.At(TestVcpu.DataAddress)[0] = memory;
        vcpu.State.Registers.Gpr[0] = rax;
        vcpu.State.Registers.Gpr[6] = TestVcpu.DataAddress;
        vcpu.Assemble(a =>
        {
            a.cmpxchg(__byte_ptr[rsi], ah);
            a.sete(bl);
            a.syscall();
        });
        Assert.Equal(CpuExitReason.Hypercall, vcpu.Run().Reason);
        Assert.Equal(after, vcpu.State.Registers.Gpr[0]);
        Assert.Equal(memoryAfter, vcpu.At(TestVcpu.DataAddress)[0]);
        Assert.Equal(equal ? 1ul : 0, vcpu.State.Registers.Gpr[3]);
    }

    /// <summary>There is no room for all functions at once: the code memory is cleared on the way, and calls are linked anew.</summary>
    [Fact]
    public void MoreCodeThanFits_IsTranslatedAgain()
    {
        const int functions = 240, firstPage = 1, lastPage = 56;
        using var vcpu = new TestVcpu(engine);
        for (int i = firstPage; i < lastPage; i++)
        {
            ulong address = TestVcpu.Base + ((ulong)i * 4096);
            for (int j = 0; j < functions; j++)
            {
                // inc rax; jmp to the next function, on the next page behind the last one.
                int distance = j < functions - 1 ? 16 - 8 : 4096 - ((functions - 1) * 16) - 8;
                byte[] code = i == lastPage - 1 && j == functions - 1 ? [0x48, 0xFF, 0xC0, 0x0F, 0x05] : [0x48, 0xFF, 0xC0, 0xE9, .. BitConverter.GetBytes(distance)];
                vcpu.Load(code, address + ((ulong)j * 16));
            }
        }

        for (int round = 0; round < 3; round++)
        {
            vcpu.State.Registers.Rip = TestVcpu.Base + (firstPage * 4096);
            vcpu.State.Registers.Gpr[0] = 0;
            CpuExit exit;
            do
                exit = vcpu.Run();
            while (exit.Reason == CpuExitReason.BudgetSpent);
            Assert.Equal(CpuExitReason.Hypercall, exit.Reason);
            Assert.Equal((ulong)(functions * (lastPage - firstPage)), vcpu.State.Registers.Gpr[0]);
        }

        if (vcpu.Engine is Translator translator)
            Assert.NotEqual(0, translator.Statistics.Evictions);
    }
}
