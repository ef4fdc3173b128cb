using Xen.Cpu;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>One machine for domains that have nothing to do with each other.</summary>
public sealed class ManyDomainsTests
{
    [Fact]
    public void Start_OfALargeMachine_CostsLittle()
    {
        long before = ResidentBytes();
        using var machine = new TestMachine(20 << 10);
        Assert.Equal(20 << 10, machine.Toolstack.Info.FreeMemoryMiB);

        using IRunningDomain domain = machine.Start(machine.Config("small"));

        // The domain itself has a few tables and its image; a huge page for each place that is touched.
        Assert.InRange(ResidentBytes() - before, long.MinValue, 64 << 20);
    }

    [Fact]
    public void Domains_HaveEnginesOfTheirOwn()
    {
        using var machine = new TestMachine();
        using IRunningDomain one = machine.Start(machine.Config("one"));
        using IRunningDomain other = machine.Start(machine.Config("other") with { CpuEngine = CpuEngines.Default, CodeCacheMiB = 1 });

        Assert.IsType<Interpreter>(machine.Find(one).Vcpus[0].Engine);
        if (CpuEngines.Default == CpuEngines.Translator)
            Assert.IsType<Translator>(machine.Find(other).Vcpus[0].Engine);
    }

    [Fact]
    public void Create_WithAnUnknownEngine_IsRefused()
    {
        using var machine = new TestMachine();
        Assert.Contains("there is no CPU engine 'abacus'", TestMachine.Refusal(() => machine.Toolstack.CreateDomain(machine.Config("a") with { CpuEngine = "abacus" })), StringComparison.Ordinal);
        machine.Toolstack.CreateDomain(machine.Config("a")).Dispose();
    }

    [Fact]
    public void Create_WithMoreMemoryThanIsFree_SaysWhoHasIt_AndBuildsNothing()
    {
        using var machine = new TestMachine(256);
        using IRunningDomain web = machine.Toolstack.CreateDomain(machine.Config("web") with { MemoryMiB = 128, MaxMemoryMiB = 128 });
        using IRunningDomain mail = machine.Toolstack.CreateDomain(machine.Config("mail"));
        machine.Toolstack.ReadLog(clear: true);

        DomainConfig large = machine.Config("large") with { MemoryMiB = 100, MaxMemoryMiB = 100 };
        string refusal = TestMachine.Refusal(() => machine.Toolstack.CreateDomain(large));

        Assert.Equal(
            "domain 'large' needs 100 MiB of memory, and 64 of the machine's 256 MiB are free: lower memory=, or end or shrink another domain: 'web' has 128 MiB, 'mail' has 64 MiB.",
            refusal);
        Assert.Empty(machine.Toolstack.ReadLog());
        Assert.Equal(64, machine.Toolstack.Info.FreeMemoryMiB);

        web.Destroy();
        using IRunningDomain now = machine.Toolstack.CreateDomain(large);
        Assert.Equal(100, now.Status.MemoryMiB);
    }

    [Fact]
    public void Create_FromManyThreads_NeverPromisesMemoryTwice()
    {
        using var machine = new TestMachine(192);
        DomainConfig[] configs = [.. Enumerable.Range(0, 8).Select(i => machine.Config($"d{i}"))];
        int refused = 0;
        Parallel.ForEach(configs, new ParallelOptions { MaxDegreeOfParallelism = 8 }, config =>
        {
            try
            {
                machine.Toolstack.CreateDomain(config);
            }
            catch (ToolstackException e)
            {
                Assert.Contains("of the machine's 192 MiB are free", e.Message, StringComparison.Ordinal);
                Interlocked.Increment(ref refused);
            }
        });

        Assert.Equal(3, machine.Toolstack.Domains.Count);
        Assert.Equal(5, refused);
        Assert.Equal(0, machine.Toolstack.Info.FreeMemoryMiB);
    }

    [Fact]
    public void Names_BelongToOneDomainAtATime()
    {
        using var machine = new TestMachine();
        using IRunningDomain web = machine.Toolstack.CreateDomain(machine.Config("web"));
        Assert.Contains("a domain named 'web' exists already", TestMachine.Refusal(() => machine.Toolstack.CreateDomain(machine.Config("web"))), StringComparison.Ordinal);
        Assert.Contains(
            $"domain 'web' has the UUID {web.Config.Uuid} of 'shop'",
            TestMachine.Refusal(() => machine.Toolstack.CreateDomain(machine.Config("shop") with { Uuid = web.Config.Uuid })), StringComparison.Ordinal);
        web.Destroy();
        machine.Toolstack.CreateDomain(machine.Config("web") with { Uuid = web.Config.Uuid }).Dispose();
        Assert.Empty(machine.Toolstack.Domains);
    }

    private static long ResidentBytes()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        return process.WorkingSet64;
    }
}
