using Iced.Intel;
using Xen.Abi;
using Xen.Cpu;
using static Iced.Intel.AssemblerRegisters;

namespace Xen.Core.Tests;

/// <summary>A domain whose translated code fails on the host ends as by any crash; its neighbours go on.</summary>
public sealed class HostFaultTests
{
    private const int CodePage = TestGuest.FirstDataPage, DataPage = CodePage + 1, StackPage = CodePage + 2;

    /// <summary>No program has anything mapped there.</summary>
    private const int Nothing = 0x7000;

    private static readonly ulong Counter = TestGuest.AddressOf(DataPage);

    [Fact]
    public void DomainWhoseCodeFails_Crashes_ItsNeighbourGoesOn()
    {
        using var machine = new Machine(new MachineConfig(4096, 2, static state => new Translator(state, 1 << 20)));
        using var crashed = new ManualResetEventSlim();
        ShutdownReason reason = default;
        using var whole = new TestGuest(1, machine);
        using var broken = new TestGuest(1, machine);
        machine.DomainShutdown += domain =>
        {
            if (domain == broken.Domain)
            {
                reason = domain.ShutdownReason;
                crashed.Set();
            }
        };
        ulong wild = Prepare(whole);
        Assert.Equal(wild, Prepare(broken));
        whole.Domain.Unpause();
        WaitForProgress(whole);

        broken.Vcpu.State.Tlb.Fill(Counter, Nothing, write: true);
        broken.Domain.Unpause();
        TestMachine.WaitFor(crashed);

        Assert.Equal(ShutdownReason.Crash, reason);
        string report = broken.Domain.CrashReport;
        Assert.Contains("SIGSEGV, write to 7000", report, StringComparison.Ordinal);
        Assert.Contains($"for the guest's instruction at {wild:x16}", report, StringComparison.Ordinal);
        Assert.Contains("host code: ", report, StringComparison.Ordinal);
        Assert.Contains("rbx 000000000000beef", report, StringComparison.Ordinal);
        Assert.Contains(machine.Log.Read(), static line => line.Contains("SIGSEGV", StringComparison.Ordinal));
        Assert.Equal(1, broken.Vcpu.Counters.Exits[(int)CpuExitReason.HostFault]);
        Assert.Equal(0, broken.Vcpu.Counters.Faults.ToArray().Sum());

        // The neighbour, and the processor that ran the broken one.
        WaitForProgress(whole);
        using var third = new TestGuest(1, machine);
        Prepare(third);
        third.Domain.Unpause();
        WaitForProgress(third);
        Assert.Empty(whole.Domain.CrashReport);
    }

    /// <summary>A guest that counts for ever. Returns the address of the instruction that does.</summary>
    private static ulong Prepare(TestGuest guest)
    {
        ulong start = TestGuest.AddressOf(CodePage);
        var assembler = new Assembler(64);
        Label loop = assembler.CreateLabel();
        assembler.mov(rcx, Counter);
        assembler.mov(ebx, 0xBEEF);
        assembler.Label(ref loop);
        assembler.inc(__qword_ptr[rcx]);
        assembler.jmp(loop);
        using var stream = new MemoryStream();
        AssemblerResult result = assembler.Assemble(new StreamCodeWriter(stream), start, BlockEncoderOptions.ReturnNewInstructionOffsets);
        guest.Write(start, stream.ToArray());
        guest.Registers.Rip = start;
        guest.Registers.Gpr[Gpr.Rsp] = TestGuest.AddressOf(StackPage);
        guest.Vcpu.SetPeriod(0);
        guest.Vcpu.IsInitialised = true;
        Assert.True(guest.Vcpu.BringUp());
        return result.GetLabelRIP(loop);
    }

    private static void WaitForProgress(TestGuest guest)
    {
        ulong before = Count(guest);
        Assert.True(SpinWait.SpinUntil(() => Count(guest) > before + 1000, TestMachine.Patience), "the guest does not count");
    }

    private static ulong Count(TestGuest guest) =>
        guest.Machine.Memory.ReadUInt64(guest.Domain.FrameOf(new Pfn(DataPage)).Address);
}
