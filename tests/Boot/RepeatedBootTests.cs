using System.Globalization;

namespace Xen.Boot.Tests;

/// <summary>
/// What goes wrong once in twenty boots is found here: races between vCPUs, and between them and the backends. XEN_BOOT_COUNT says how often the guests boot
/// that take long to it.
/// </summary>
public sealed class RepeatedBootTests
{
    private const int Boots = 20;

    private static int LongBoots =>
        int.TryParse(Environment.GetEnvironmentVariable("XEN_BOOT_COUNT"), CultureInfo.InvariantCulture, out int wanted) ? wanted : 2;

    [Theory]
    [InlineData("vmlinuz-cloud", 1)]
    [InlineData("vmlinuz-cloud", 2)]
    [InlineData("vmlinuz-cloud", 4)]
    [InlineData("vmlinuz-generic", 1)]
    [InlineData("vmlinuz-generic", 2)]
    [InlineData("vmlinuz-generic", 4)]
    public void Kernel_BootsManyTimesInARow(string kernel, int vcpus)
    {
        for (int i = 0; i < Boots; i++)
        {
            using GuestSession guest = GuestSession.BootToShell(kernel, Vcpus(vcpus));
            Assert.Equal(vcpus.ToString(CultureInfo.InvariantCulture), guest.Run("nproc"));
            guest.Type("poweroff -f\n");
            Assert.Equal(0, guest.WaitForExit());
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Debian_BootsManyTimesInARow(int vcpus)
    {
        using DiskImage image = DiskImage.CopyOf("debian.img");
        for (int i = 0; i < LongBoots; i++)
        {
            using GuestSession guest = GuestSession.Create(
                "debian-disk.cfg", null, "kernel=" + Repository.Cached("debian.img.vmlinuz"), "ramdisk=" + Repository.Cached("debian.img.initrd"),
                $"disk=['file:{image.Path},xvda,w']", Vcpus(vcpus));
            LogInAndPowerOff(guest);
        }

        image.AssertClean();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void PvGrub_BootsManyTimesInARow(int vcpus)
    {
        using DiskImage image = DiskImage.CopyOf("debian-part.img");
        for (int i = 0; i < LongBoots; i++)
        {
            using GuestSession guest = GuestSession.Create(
                "pvgrub-disk.cfg", null, "kernel=" + Repository.Cached("grub-x86_64-xen.bin"), $"disk=['file:{image.Path},xvda,w']", "vif=[]", Vcpus(vcpus));
            LogInAndPowerOff(guest);
        }
    }

    private static string Vcpus(int count) => string.Create(CultureInfo.InvariantCulture, $"vcpus={count}");

    private static void LogInAndPowerOff(GuestSession guest)
    {
        guest.WaitFor("login: ");
        guest.Type("root\n");
        guest.WaitFor("root@debian:~# ");
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }
}
