using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>Whoever looks at a domain does not wait for what is done to it, and that is done on no thread that everybody needs.</summary>
public sealed class ChangingDomainTests : IDisposable
{
    private readonly TestMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public async Task WhatFollowsAShutdown_IsDoneOnNoThreadOfThePool_AndItsVcpusAreSeenMeanwhile()
    {
        var said = new TaskCompletionSource<(bool IsPools, int Vcpus)>(TaskCreationOptions.RunContinuationsAsynchronously);
        IRunningDomain domain = _machine.Toolstack.CreateDomain(_machine.Config("web", static guest => guest.PowerOff()) with { OnPoweroff = ShutdownAction.Preserve });
        _machine.Toolstack.LogWritten += line =>
        {
            // This is said under the domain's lock, which is held until we return.
            if (line.Contains("web: preserved", StringComparison.Ordinal))
                said.TrySetResult((Thread.CurrentThread.IsThreadPoolThread, Look(domain)));
        };
        domain.Unpause();
        Assert.Equal((false, 1), await said.Task.WaitAsync(TestMachine.Patience));
    }

    [Fact]
    public void WhileItIsBuiltAnew_ItsVcpusAreThoseThatItHad()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web") with { MaxVcpus = 2 });
        List<int> seen = [];
        _machine.Toolstack.LogWritten += line =>
        {
            if (line.Contains(" created: web", StringComparison.Ordinal) || line.Contains(" destroyed: web", StringComparison.Ordinal))
                seen.Add(Look(domain));
        };
        domain.Reset();
        Assert.Equal([2, 2], seen);
        Assert.Equal(2, domain.Vcpus.Count);
        domain.Destroy();
        Assert.Empty(domain.Vcpus);
    }

    /// <returns>How many vCPUs somebody else sees; -1: he waits.</returns>
    private static int Look(IRunningDomain domain)
    {
        int seen = -1;
        var looking = new Thread(() => seen = domain.Vcpus.Count);
        looking.Start();
        return looking.Join(TestMachine.Patience / 4) ? seen : -1;
    }
}
