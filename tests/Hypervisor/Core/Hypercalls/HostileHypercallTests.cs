using Xen.Abi;

namespace Xen.Core.Tests.Hypercalls;

/// <summary>Random hypercalls with random arguments from a hostile guest.</summary>
public sealed class HostileHypercallTests
{
    private const int Calls = 10_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void TenThousandRandomHypercalls_LeaveTheHypervisorAndItsOtherDomainsUnharmed(int seed)
    {
        using var neighbour = new TestGuest();
        Mfn[] neighboursFrames = FramesOf(neighbour);
        neighbour.WriteWords(TestGuest.AddressOf(30), 0x1234_5678_9ABC_DEF0);
        TestGuest? hostile = null;
        HostileCaller? caller = null;
        int lives = 0;
        for (int i = 0; i < Calls; i++)
        {
            // It may end its own life, and then has another one.
            if (hostile is null || hostile.Domain.IsShutDown)
            {
                if (hostile is not null)
                    new DomainControl(neighbour.Machine).Destroy(hostile.Domain);
                hostile = new TestGuest(2, neighbour.Machine);
                lives++;
                IEnumerable<Mfn> frames = FramesOf(hostile).Concat(neighboursFrames).Append(hostile.Domain.SharedInfoFrame).Append(new Mfn(1));
                caller = new HostileCaller(
                    (seed * 1000) + lives, Enumerable.Range(TestGuest.FirstDataPage, 24).Select(TestGuest.AddressOf), frames);
            }

            caller!.CallOnce(hostile.Vcpu);
        }

        new DomainControl(neighbour.Machine).Destroy(hostile!.Domain);
        Assert.Equal(0x1234_5678_9ABC_DEF0ul, neighbour.Read<ulong>(TestGuest.AddressOf(30)));
        Assert.Equal(0x4_0011, neighbour.Hypercall(HypercallNumber.XenVersion));
        Assert.False(neighbour.Domain.IsShutDown);
        Assert.InRange(lives, 1, Calls / 10);
    }

    private static Mfn[] FramesOf(TestGuest guest) =>
        [.. Enumerable.Range(0, TestGuest.PageCount).Select(page => guest.Domain.FrameOf(new Pfn((ulong)page)))];
}
