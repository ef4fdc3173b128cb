namespace Xen.Boot.Tests;

/// <summary>A whole boot by both CPU engines, compared block by block.</summary>
public sealed class EngineCheckTests
{
    /// <summary>Fifty times the work of a boot.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(12);

    [Fact]
    public void Debian_BootsUnderTheCheck()
    {
        using GuestSession guest = GuestSession.Boot("vmlinuz-cloud", "on_crash=destroy", "--engine-check");
        guest.WaitForShell(Patience);
        guest.Type("poweroff -f\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Fact]
    public void SeveralVcpus_AreRefused()
    {
        using GuestSession guest = GuestSession.Boot("vmlinuz-cloud", "vcpus=2", "--engine-check");
        Assert.Equal(1, guest.WaitForExit());
        Assert.Contains("is for domains with one vCPU, and vcpus is 2", guest.Errors, StringComparison.Ordinal);
    }
}
