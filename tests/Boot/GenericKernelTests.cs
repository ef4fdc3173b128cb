namespace Xen.Boot.Tests;

/// <summary>Debian's generic kernel: an xz payload, many more built-in drivers.</summary>
public sealed class GenericKernelTests
{
    [Fact]
    public void Boot_ReachesAShellThatAnswers()
    {
        using GuestSession guest = GuestSession.BootToShell("vmlinuz-generic", "vcpus=2");
        Assert.Matches(@"^\d+\.\d+\.\d+.*-amd64$", guest.Run("uname -r"));
        Assert.Equal("2", guest.Run("nproc"));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }
}
