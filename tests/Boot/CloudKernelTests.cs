using System.Diagnostics;
using System.Globalization;

namespace Xen.Boot.Tests;

/// <summary>Debian's cloud kernel, as a person would use it.</summary>
public sealed class CloudKernelTests
{
    private const string Kernel = "vmlinuz-cloud";

    [Fact]
    public void Boot_ReachesAShellThatAnswers_AndPoweroffEndsWithZero()
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel);
        Assert.Contains("cloud-amd64", guest.Run("uname -r"), StringComparison.Ordinal);
        Assert.Equal("xen", guest.Run("cat /sys/hypervisor/type"));
        Assert.Equal("1", guest.Run("nproc"));
        Assert.Equal("499500", guest.Run("i=0; s=0; while [ $i -lt 1000 ]; do s=$((s+i)); i=$((i+1)); done; echo $s"));
        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -", guest.Run("sha256sum </dev/null"));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Fact]
    public void PipedInput_IsTypedIntoTheConsole()
    {
        using GuestSession guest = GuestSession.Boot(Kernel);
        guest.Type("uname -r\npoweroff -f\n");
        Assert.Equal(0, guest.WaitForExit());
        Assert.Matches(@"\n\d+\.\d+\.[^\n]*cloud-amd64\r?\n", guest.Output);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Smp_AllProcessorsWork(int vcpus)
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel, "vcpus=" + vcpus.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(vcpus.ToString(CultureInfo.InvariantCulture), guest.Run("nproc"));
        guest.Run("for i in $(seq " + vcpus + "); do (dd if=/dev/zero bs=64k count=200 2>/dev/null | sha256sum >/tmp/$i) & done; wait");
        Assert.Equal("1", guest.Run("cat /tmp/[0-9] | sort -u | wc -l"));
        Assert.Equal(vcpus.ToString(CultureInfo.InvariantCulture), guest.Run("grep -c . /proc/self/status >/dev/null; awk '/^cpu[0-9]/ && $2+$4 > 0' /proc/stat | wc -l"));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Theory]
    [InlineData(96, 40, 96)]
    [InlineData(4096, 3500, 4096)]
    public void Memory_IsHonouredAndUntouchedMemoryIsFree(int memory, int least, int most)
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel, "memory=" + memory.ToString(CultureInfo.InvariantCulture));
        int total = int.Parse(guest.Run("awk '/MemTotal/{print int($2/1024)}' /proc/meminfo"), CultureInfo.InvariantCulture);
        Assert.InRange(total, least, most);
        Assert.InRange(guest.ResidentBytes >> 20, 1, 900);
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    /// <summary>The least that is offered. This kernel starts in it and finds all of it; its initramfs then has no room, on any hypervisor.</summary>
    [Fact]
    public void SmallestMemory_IsAllThere()
    {
        using GuestSession guest = GuestSession.Boot(Kernel, "memory=64");
        guest.WaitFor("Memory: ");
        Assert.Matches(@"^\d+K/65\d\d\dK available$", guest.WaitFor(" ("));
    }

    [Fact]
    public void Reboot_BuildsTheDomainAgain()
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel);
        guest.Type("reboot\n");
        guest.WaitForShell();
        Assert.Equal("alive", guest.Run("echo alive"));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Fact]
    public void Crash_IsLoggedWithRegisters_AndEndsWithOne()
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel);
        guest.Type("echo c > /proc/sysrq-trigger\n");
        guest.WaitFor("sysrq triggered crash");
        Assert.Equal(1, guest.WaitForExit());
        Assert.Contains("crash", guest.Errors, StringComparison.OrdinalIgnoreCase);
        Assert.Matches("(?i)rip[ :=]+(0x)?[0-9a-f]{8,16}", guest.Errors);
    }

    [Fact]
    public void Clock_KeepsTimeUnderLoad()
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel, "vcpus=2");
        guest.Run("(while :; do :; done) & (while :; do :; done) & true");
        (double before, long beforeSent, long beforeRead) = ReadUptime(guest);
        guest.Run("sleep 12");
        (double after, long afterSent, long afterRead) = ReadUptime(guest);

        // The guest has read its clock at some time between the question and the answer, however long a busy host makes the way.
        double least = Stopwatch.GetElapsedTime(beforeRead, afterSent).TotalSeconds, most = Stopwatch.GetElapsedTime(beforeSent, afterRead).TotalSeconds;
        Assert.InRange(after - before, least * 0.99, most * 1.01);
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    private static (double Uptime, long Sent, long Read) ReadUptime(GuestSession guest)
    {
        long sent = Stopwatch.GetTimestamp();
        double uptime = Uptime(guest);
        return (uptime, sent, Stopwatch.GetTimestamp());
    }

    private static double Uptime(GuestSession guest) =>
        double.Parse(guest.Run("cut -d' ' -f1 /proc/uptime"), CultureInfo.InvariantCulture);
}
