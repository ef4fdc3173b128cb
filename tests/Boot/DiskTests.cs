namespace Xen.Boot.Tests;

/// <summary>Debian's own xen-blkfront on disks of ours.</summary>
public sealed class DiskTests
{
    private const string Kernel = "vmlinuz-cloud";

    [Fact]
    public void File_WrittenInTheGuest_IsTheSameOutside_AndTheFileSystemIsClean()
    {
        using DiskImage image = DiskImage.Ext4(64);
        using GuestSession guest = GuestSession.BootToShell(Kernel, $"disk=['file:{image.Path},xvda,w']");
        guest.Run("mkdir -p /m && mount -t ext4 /dev/xvda /m");
        guest.Run("dd if=/dev/urandom of=/m/data bs=64k count=256 2>/dev/null");
        string inside = guest.Run("sha256sum </m/data")[..64];
        guest.Run("umount /m");
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
        image.AssertClean();
        Assert.Equal(inside, image.HashOf("/data"));
    }

    [Fact]
    public void Sync_ThenKillOfDom0_LosesNothing()
    {
        using DiskImage image = DiskImage.Ext4(64);
        using GuestSession guest = GuestSession.BootToShell(Kernel, $"disk=['file:{image.Path},xvda,w']", "extra=console=hvc0 nodhcp");
        guest.Run("mkdir -p /m && mount -t ext4 /dev/xvda /m");
        string inside = guest.Run("dd if=/dev/urandom of=/m/data bs=64k count=64 2>/dev/null; sync; sha256sum </m/data")[..64];
        guest.KillXend();
        Assert.Equal(1, guest.WaitForExit());
        Assert.Contains("xend ended", guest.Errors, StringComparison.Ordinal);
        Assert.Equal(inside, image.HashOf("/data"));
    }

    [Fact]
    public void Disk_PluggedAndUnpluggedUnderLoad_ComesAndGoes()
    {
        using DiskImage first = DiskImage.Empty(32), second = DiskImage.Empty(16);
        using GuestSession guest = GuestSession.BootToShell(Kernel, $"disk=['file:{first.Path},xvda,w']");
        guest.Run("(while :; do dd if=/dev/zero of=/dev/xvda bs=64k 2>/dev/null; done) & true");
        for (int round = 0; round < 3; round++)
        {
            Assert.Equal((0, "", ""), guest.Xm("block-attach", guest.Name, $"file:{second.Path}", "xvdb", "w"));
            guest.Run("until grep -q 'xvdb$' /proc/partitions; do usleep 10000; done");
            Assert.Matches(@"(?m)^51728 +0 +0 +4 +[1-9]\d* +\d+ +/local/domain/0/backend/vbd/\d+/51728 *$", guest.Xm("block-list", guest.Name).Out);
            guest.Run("dd if=/dev/xvdb of=/dev/null bs=64k 2>/dev/null");
            Assert.Equal((0, "", ""), guest.Xm("block-detach", guest.Name, "xvdb"));
            guest.Run("until ! grep -q 'xvdb$' /proc/partitions; do usleep 10000; done");
        }

        (int code, _, string error) = guest.Xm("block-attach", guest.Name, $"file:{first.Path},xvdc,w");
        Assert.Equal(1, code);
        Assert.Contains("is in use by another domain or program", error, StringComparison.Ordinal);
        Assert.Single(guest.Xm("block-list", guest.Name).Out.TrimEnd('\n').Split('\n'), line => line.StartsWith("517", StringComparison.Ordinal));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Fact]
    public void ReadOnlyAndQcow2_AreWhatTheySay()
    {
        using DiskImage readOnly = DiskImage.Empty(4), sparse = DiskImage.Empty(0);
        using GuestSession tool = GuestSession.Start(["help"]);
        Assert.Equal(0, tool.Tool("qemu-img", "create", "-q", "-f", "qcow2", sparse.Path, "1G").Code);
        using GuestSession guest = GuestSession.BootToShell(Kernel, $"disk=['file:{readOnly.Path},xvda,r', '{sparse.Path},qcow2,xvdb,w']");
        Assert.Equal("1", guest.Run("cat /sys/block/xvda/ro"));
        Assert.Equal("2097152", guest.Run("cat /sys/block/xvdb/size"));
        string written = guest.Run("dd if=/dev/urandom bs=64k count=16 2>/dev/null | tee /tmp/x | dd of=/dev/xvdb bs=64k seek=1600 2>/dev/null; sync; sha256sum </tmp/x");
        Assert.Equal(written, guest.Run("echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/xvdb bs=64k skip=1600 count=16 2>/dev/null | sha256sum"));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
        Assert.InRange(new FileInfo(sparse.Path).Length, 1 << 20, 8 << 20);
        Assert.Equal(0, tool.Tool("qemu-img", "check", "-q", sparse.Path).Code);
    }

    [Fact]
    public void TruncatedImage_GivesTheGuestErrors_AndTheOperatorAReason()
    {
        using DiskImage image = DiskImage.Empty(16);
        using GuestSession guest = GuestSession.BootToShell(Kernel, $"disk=['file:{image.Path},xvda,w']");
        using (FileStream file = File.OpenWrite(image.Path))
            file.SetLength(1 << 20);
        guest.Run("dmesg -n 1");
        Assert.Equal("failed", guest.Run("dd if=/dev/xvda of=/dev/null bs=64k skip=64 count=1 2>/dev/null || echo failed"));
        Assert.Equal("good", guest.Run("dd if=/dev/xvda of=/dev/null bs=64k count=1 2>/dev/null && echo good"));
        Assert.Contains(image.Path, guest.Xm("dmesg").Out, StringComparison.Ordinal);
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Fact]
    public void Reboot_OpensTheDiskAgain()
    {
        using DiskImage image = DiskImage.Empty(4);
        using GuestSession guest = GuestSession.BootToShell(Kernel, $"disk=['file:{image.Path},xvda,w']");
        guest.Run("echo remembered | dd of=/dev/xvda conv=notrunc 2>/dev/null; sync");
        guest.Type("reboot\n");
        guest.WaitForShell();
        Assert.Equal("remembered", guest.Run("head -c 10 /dev/xvda"));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Theory]
    [InlineData("disk=['file:/nowhere/disk.img,xvda,w']", "/nowhere/disk.img")]
    [InlineData("disk=['file:/,xvda,w']", "/")]
    [InlineData("disk=['/dev/null,vmdk,xvda,w']", "format must be")]
    public void Disk_ThatCannotBe_IsOneSentence_AndNothingIsLeft(string disk, string named)
    {
        using GuestSession guest = GuestSession.Boot(Kernel, disk);
        Assert.Equal(1, guest.WaitForExit());
        Assert.Contains(named, guest.Errors, StringComparison.Ordinal);
        Assert.Single(guest.Errors.TrimEnd('\n').Split('\n'));
        guest.AssertNothingRuns();
    }
}
