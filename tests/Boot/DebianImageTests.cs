namespace Xen.Boot.Tests;

/// <summary>A Debian with systemd, on its own disk and on the network.</summary>
public sealed class DebianImageTests
{
    [Fact]
    public void Boot_ReachesLogin_WithDiskAndNetwork_AndPowersOffClean()
    {
        using DiskImage image = DiskImage.CopyOf("debian.img");
        using GuestSession guest = GuestSession.Create(
            "debian-disk.cfg", null, "kernel=" + Repository.Cached("debian.img.vmlinuz"), "ramdisk=" + Repository.Cached("debian.img.initrd"),
            $"disk=['file:{image.Path},xvda,w']");
        LogIn(guest);
        guest.Type("stty -echo; PS1=; set +o emacs; findmnt -no SOURCE /; ip -4 -br addr show eth0; systemctl is-system-running --wait; echo a''nswered\n");
        string answers = guest.WaitFor("answered");
        Assert.Contains("/dev/xvda", answers, StringComparison.Ordinal);
        Assert.Contains("10.0.2.15/24", answers, StringComparison.Ordinal);
        Assert.Contains("running", answers, StringComparison.Ordinal);
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
        image.AssertClean();
    }

    [Fact]
    public void PvGrub_StartsTheKernelInsideTheImage()
    {
        using DiskImage image = DiskImage.CopyOf("debian-part.img");
        using GuestSession guest = GuestSession.Create(
            "pvgrub-disk.cfg", null, "kernel=" + Repository.Cached("grub-x86_64-xen.bin"), $"disk=['file:{image.Path},xvda,w']", "vif=[]");
        guest.WaitFor("GNU GRUB");
        LogIn(guest);
        guest.Type("stty -echo; PS1=; set +o emacs; findmnt -no SOURCE /; echo a''nswered\n");
        Assert.Contains("/dev/xvda1", guest.WaitFor("answered"), StringComparison.Ordinal);
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    private static void LogIn(GuestSession guest)
    {
        guest.WaitFor("login: ");
        guest.Type("root\n");
        guest.WaitFor("root@debian:~# ");
    }
}
