using Xen.Toolstack;

namespace Xen.Dom0.Tests.Config;

/// <summary>The two little languages of disk= and vif=.</summary>
public sealed class DeviceConfigTests
{
    [Theory]
    [InlineData("file:/i/debian.img,xvda,w", "/i/debian.img", DiskFormat.Raw, "xvda", DiskAccess.ReadWrite)]
    [InlineData("file:/i/debian.img,xvda1,r", "/i/debian.img", DiskFormat.Raw, "xvda1", DiskAccess.ReadOnly)]
    [InlineData("file:/i/shared.img,xvda,w!", "/i/shared.img", DiskFormat.Raw, "xvda", DiskAccess.Shared)]
    [InlineData("phy:/dev/vg/guest,sda,w", "/dev/vg/guest", DiskFormat.Raw, "sda", DiskAccess.ReadWrite)]
    [InlineData("phy:sdb3,xvdb,w", "/dev/sdb3", DiskFormat.Raw, "xvdb", DiskAccess.ReadWrite)]
    [InlineData("tap:aio:/i/a.img,hda,w", "/i/a.img", DiskFormat.Raw, "hda", DiskAccess.ReadWrite)]
    [InlineData("tap:qcow2:/i/a.qcow2,xvda,w", "/i/a.qcow2", DiskFormat.Qcow2, "xvda", DiskAccess.ReadWrite)]
    [InlineData("vhd:/i/a.vhd,xvda,w", "/i/a.vhd", DiskFormat.Vhd, "xvda", DiskAccess.ReadWrite)]
    [InlineData("/i/a.qcow2,qcow2,xvda,rw", "/i/a.qcow2", DiskFormat.Qcow2, "xvda", DiskAccess.ReadWrite)]
    [InlineData("/i/a.img,,xvda", "/i/a.img", DiskFormat.Raw, "xvda", DiskAccess.ReadWrite)]
    [InlineData("/i/a.img, raw, xvda, ro", "/i/a.img", DiskFormat.Raw, "xvda", DiskAccess.ReadOnly)]
    [InlineData("format=qcow2, vdev=xvdb, access=ro, target=/i/with,comma.img", "/i/with,comma.img", DiskFormat.Qcow2, "xvdb", DiskAccess.ReadOnly)]
    [InlineData("vdev=xvda,/i/a.img", "/i/a.img", DiskFormat.Raw, "xvda", DiskAccess.ReadWrite)]
    [InlineData("/i/my:odd.img,raw,xvda,w", "/i/my:odd.img", DiskFormat.Raw, "xvda", DiskAccess.ReadWrite)]
    public void Disk_OldAndNewSyntax(string text, string target, DiskFormat format, string vdev, DiskAccess access)
    {
        DiskConfig disk = DomainConfigReader.ReadDisk(text);
        Assert.Equal((target, format, vdev, access, false), (disk.Target, disk.Format, disk.Disk.Name, disk.Access, disk.IsCdrom));
    }

    [Theory]
    [InlineData("file:/i/cd.iso,hdc:cdrom,r")]
    [InlineData("/i/cd.iso,raw,hdc,ro,cdrom")]
    [InlineData("devtype=cdrom,vdev=hdc,target=/i/cd.iso")]
    public void Disk_Cdrom_IsReadOnly(string text)
    {
        DiskConfig disk = DomainConfigReader.ReadDisk(text);
        Assert.Equal(("/i/cd.iso", "hdc", DiskAccess.ReadOnly, true), (disk.Target, disk.Disk.Name, disk.Access, disk.IsCdrom));
    }

    [Fact]
    public void Disk_OfAConfiguration_ReadsWhatItPrints()
    {
        DiskConfig disk = DomainConfigReader.ReadDisk("format=qcow2,vdev=xvdc,access=r,no-discard,target=/i/a,b.qcow2");
        Assert.Equal(disk, DomainConfigReader.ReadDisk(disk.ToString()));
    }

    [Theory]
    [InlineData("file:/i/a.img", "names no device of the guest")]
    [InlineData("file:/i/a.img,xvdA,w", "no block device of a guest")]
    [InlineData("file:/i/a.img,xvda,x", "access must be")]
    [InlineData("/i/a.img,vmdk,xvda,w", "format must be")]
    [InlineData("/i/a.img,raw,xvda,w,more", "one part too many")]
    [InlineData("iscsi:target,xvda,w", "are not supported")]
    [InlineData("vdev=xvda,access=w", "names no image")]
    [InlineData("format=raw,color=red,target=/i/a", "is no key of a disk")]
    [InlineData("backend=driverdom,vdev=xvda,target=/i/a", "backend")]
    public void Disk_Wrong_IsOneSentence(string text, string expected)
    {
        string message = Assert.Throws<ToolstackException>(() => DomainConfigReader.ReadDisk(text)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.EndsWith(".", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("xvda", 51712)]
    [InlineData("xvda1", 51713)]
    [InlineData("xvdb", 51728)]
    [InlineData("xvdp15", 51967)]
    [InlineData("xvdq", 268439552)]
    [InlineData("xvda16", 268435472)]
    [InlineData("xvdaa", 268442112)]
    [InlineData("d1p2", 51730)]
    [InlineData("sda", 2048)]
    [InlineData("sdb3", 2067)]
    [InlineData("hda", 768)]
    [InlineData("hdb1", 833)]
    [InlineData("hdc", 5632)]
    [InlineData("hdd", 5696)]
    public void VirtualDisk_HasXensNumber_AndComesBackByIt(string name, int number)
    {
        Assert.True(VirtualDisk.TryParse(name, out VirtualDisk disk));
        Assert.Equal(number, disk.Number);
        Assert.True(VirtualDisk.TryParse($"{number}", out VirtualDisk again));
        Assert.Equal(number, again.Number);
        if (!name.StartsWith('d'))
            Assert.Equal(name, again.Name);
        Assert.True(VirtualDisk.TryParse($"0x{number:x}", out again));
        Assert.Equal(number, again.Number);
        Assert.True(VirtualDisk.TryParse("/dev/" + name, out again));
        Assert.Equal(number, again.Number);
    }

    [Theory]
    [InlineData("")]
    [InlineData("xvd")]
    [InlineData("xvda01")]
    [InlineData("xvda256")]
    [InlineData("hde")]
    [InlineData("sdq")]
    [InlineData("vda")]
    [InlineData("-5")]
    [InlineData("d1048576")]
    public void VirtualDisk_Unlawful_IsRefused(string name) => Assert.False(VirtualDisk.TryParse(name, out _));

    [Fact]
    public void Vif_Empty_HasDefaults()
    {
        VifConfig vif = DomainConfigReader.ReadVif("");
        Assert.Equal(new VifConfig(), vif);
        Assert.Equal("", vif.ToString());
    }

    [Fact]
    public void Vif_AllKeys()
    {
        VifConfig vif = DomainConfigReader.ReadVif("mac=00:16:3E:01:02:03, bridge=lan0, rate=10Mb/s, vifname=web0, devid=2, mtu=9000, script=vif-bridge, trusted");
        Assert.Equal(new VifConfig { Mac = "00:16:3e:01:02:03", Bridge = "lan0", Rate = "10Mb/s", Name = "web0", DeviceId = 2, Mtu = 9000 }, vif);
        Assert.Equal(vif, DomainConfigReader.ReadVif(vif.ToString()));
    }

    [Theory]
    [InlineData("mac=00:16:3e:01:02", "mac must be")]
    [InlineData("mac=01:16:3e:01:02:03", "mac must be")]
    [InlineData("bridge=a/b", "bridge must be")]
    [InlineData("devid=x", "devid must be")]
    [InlineData("mtu=20", "mtu must be")]
    [InlineData("speed=9", "is no key of a network interface")]
    [InlineData("fast", "is not key=value")]
    public void Vif_Wrong_IsOneSentence(string text, string expected)
    {
        string message = Assert.Throws<ToolstackException>(() => DomainConfigReader.ReadVif(text)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }
}
