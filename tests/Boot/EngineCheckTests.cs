namespace Xen.Boot.Tests;

/// <summary>Guests on both CPU engines, compared as they go.</summary>
public sealed class EngineCheckTests
{
    /// <summary>A kernel's boot takes minutes so.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(60);

    [Fact]
    public void PvGrub_RunsUnderTheCheck()
    {
        using GuestSession guest = GuestSession.Create(
            "pvgrub.cfg", null, "kernel=" + Repository.Cached("grub-x86_64-xen.bin"), "--engine-check");
        guest.WaitFor("grub> ");
        guest.Type("echo 12''34\r");
        guest.WaitFor("1234");
        guest.WaitFor("grub> ");
        guest.Type("halt\r");
        Assert.Equal(0, guest.WaitForExit());
    }

    /// <summary>Only if XEN_ENGINE_CHECK is set, as ./test nightly does.</summary>
    [Fact]
    public void Debian_BootsUnderTheCheck()
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("XEN_ENGINE_CHECK")))
            return;
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
