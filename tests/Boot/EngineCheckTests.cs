namespace Xen.Boot.Tests;

/// <summary>Guests on both CPU engines, compared as they go.</summary>
public sealed class EngineCheckTests
{
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

    /// <summary>Three thousand million instructions: the kernel, its user space, xenbus and the console.</summary>
    [Fact]
    public void Debian_BootsUnderTheCheck()
    {
        using GuestSession guest = GuestSession.BootToShell("vmlinuz-cloud", "--engine-check");
        Assert.Equal("42", guest.Run("echo $((6 * 7))"));
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
