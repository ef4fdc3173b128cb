using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests.Hypercalls;

/// <summary>
/// A guest kernel that makes random hypercalls: numbers, sub-operations, pointers, counts and frames that are often almost right, and memory
/// full of the same. What it may not do is make the hypervisor throw, hang or answer outside of its interface.
/// </summary>
internal sealed class HostileCaller
{
    private const ulong LowestErrno = unchecked((ulong)-4095L);

    private readonly Random _random;
    private readonly ulong[] _pages;
    private readonly ulong[] _frames;

    /// <param name="seed">The same seed makes the same calls.</param>
    /// <param name="pages">Linear addresses of pages that the guest can write.</param>
    /// <param name="frames">Machine frames that calls shall name.</param>
    public HostileCaller(int seed, IEnumerable<ulong> pages, IEnumerable<Mfn> frames)
    {
        _random = new Random(seed);
        _pages = [.. pages];
        _frames = [.. frames.Select(static frame => frame.Value)];
    }

    /// <summary>Makes one call; the vCPU is in kernel mode before and is put back there afterwards.</summary>
    public void CallOnce(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        if (_random.Next(4) == 0)
            Scribble(vcpu);
        var number = (HypercallNumber)(_random.Next(50) == 0 ? _random.Next() : _random.Next(HypercallTable.Count));
        registers.Gpr[Gpr.Rax] = (ulong)number;
        registers.Gpr[Gpr.Rdi] = Argument();
        registers.Gpr[Gpr.Rsi] = Argument();
        registers.Gpr[Gpr.Rdx] = Argument();
        registers.Gpr[Gpr.R10] = Argument();
        registers.Gpr[Gpr.R8] = Argument();
        registers.Gpr[Gpr.Rsp] = _random.Next(10) == 0 ? Argument() : Pointer();
        registers.Rip = 0x5002;
        HypercallArguments arguments = HypercallTable.ArgumentsOf(registers);
        ExitDispatcher.Handle(vcpu, new CpuExit(CpuExitReason.Hypercall));
        AssertLawful(vcpu, number, arguments);

        vcpu.State.SwitchMode(GuestMode.Kernel);
        _ = vcpu.State.TakeKick();
    }

    /// <summary>The answer is an errno or a value of 0 and more, or the call is to be made again, or it was an iret.</summary>
    private static void AssertLawful(Vcpu vcpu, HypercallNumber number, in HypercallArguments arguments)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        ulong rax = registers.Gpr[Gpr.Rax];
        bool restarted = registers.Rip == 0x5000 && rax == (ulong)number;
        bool answered = registers.Rip == 0x5002 && (rax >= LowestErrno || rax <= long.MaxValue);

        // A debug register's value may be anything; the interface is defective, it says of itself.
        bool anything = number is HypercallNumber.Iret or HypercallNumber.Multicall or HypercallNumber.GetDebugreg;
        Assert.True(restarted || answered || anything, $"{number} {arguments}: rax {rax:x} rip {registers.Rip:x}");
        Assert.Equal(FlatSelectors.RplMask, registers.Cs & FlatSelectors.RplMask);
    }

    private ulong Argument() => _random.Next(8) switch
    {
        0 => (ulong)_random.Next(4),
        1 => (ulong)_random.Next(40),
        2 => _frames[_random.Next(_frames.Length)],
        3 => (_frames[_random.Next(_frames.Length)] << Page.Shift) + (ulong)_random.Next(Page.Size),
        4 => Wild(),
        _ => Pointer(),
    };

    /// <summary>A pointer into the guest's memory, sometimes near the end of a page.</summary>
    private ulong Pointer()
    {
        int offset = _random.Next(3) == 0 ? Page.Size - _random.Next(1, 64) : _random.Next(Page.Size / 8) * 8;
        return _pages[_random.Next(_pages.Length)] + (ulong)offset;
    }

    private ulong Wild() => _random.Next(6) switch
    {
        0 => 0,
        1 => ulong.MaxValue - (ulong)_random.Next(64),
        2 => 0x8000_0000_0000_0000,
        3 => PageWalker.HypervisorStart + (ulong)_random.Next(1 << 20),
        4 => 0x7FFF_FFFF_F000,
        _ => (ulong)_random.NextInt64(),
    };

    /// <summary>Fills part of a page with numbers of the same kind as the arguments.</summary>
    private void Scribble(Vcpu vcpu)
    {
        ulong address = _pages[_random.Next(_pages.Length)] + ((ulong)_random.Next(Page.Size / 8) * 8);
        for (int i = 0; i < 32; i++, address += 8)
        {
            ulong word = _random.Next(3) == 0 ? ((ulong)_random.Next(64) << 32) + (ulong)_random.Next(64) : Argument();
            if (!GuestStructs.TryWrite(vcpu, address, word))
                return;
        }
    }
}
