using System.Diagnostics;
using System.Globalization;
using Xen.Toolstack;

namespace Xen.Boot.Tests;

/// <summary>What a toolstack asks of a running Linux: it does it.</summary>
public sealed class LifecycleTests
{
    [Fact]
    public void Memory_IsGivenBackToTheHost_AndCanBeHadAgain()
    {
        using LocalToolstack machine = LocalToolstack.Start(new MachineOptions(320));
        using LocalGuest guest = LocalGuest.BootToShell(machine, "balloon", "memory=256");
        Assert.Equal(256, guest.Domain.Status.MemoryMiB);
        Assert.Contains("64 of the machine's 320 MiB are free", Refusal(machine), StringComparison.Ordinal);

        // Used once, so that the host has pages behind all of it.
        guest.Run("dd if=/dev/zero bs=1M count=150 of=/tmp/fill 2>/dev/null; rm /tmp/fill");
        long full = ResidentMiB(), total = TotalKiB(guest);

        guest.Domain.SetMemoryTarget(128);
        guest.WaitUntil(() => guest.Domain.Status.MemoryMiB <= 129, "shrinking");
        Assert.InRange(TotalKiB(guest), total - (130 << 10), total - (126 << 10));

        // Some of what it gave back had never been touched.
        Assert.InRange(full - ResidentMiB(), 60, 150);

        // Another domain gets what was given back, and gives it back.
        using (LocalGuest other = LocalGuest.BootToShell(machine, "other", "memory=160"))
            Assert.Equal(160, other.Domain.Status.MemoryMiB);

        guest.Domain.SetMemoryTarget(256);
        guest.WaitUntil(() => guest.Domain.Status.MemoryMiB >= 255, "growing");
        Assert.InRange(TotalKiB(guest), total - (2 << 10), total);
        guest.Run("dd if=/dev/zero bs=1M count=150 of=/tmp/fill 2>/dev/null; rm /tmp/fill");
    }

    [Fact]
    public void Memory_GrowsAboveWhatItBeganWith()
    {
        using LocalToolstack machine = LocalToolstack.Start(new MachineOptions(320));
        using LocalGuest guest = LocalGuest.BootToShell(machine, "balloon", "memory=128", "maxmem=256");
        long total = TotalKiB(guest);

        guest.Domain.SetMemoryTarget(256);

        guest.WaitUntil(() => guest.Domain.Status.MemoryMiB >= 255, "growing");
        Assert.InRange(TotalKiB(guest), total + (126 << 10), total + (128 << 10));
        Assert.Contains("may have 256 MiB at most", Assert.Throws<ToolstackException>(() => guest.Domain.SetMemoryTarget(257)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Requests_AreHeard()
    {
        using LocalToolstack machine = LocalToolstack.Start(new MachineOptions(256));
        using LocalGuest guest = LocalGuest.BootToShell(machine, "web", "vcpus=1", "maxvcpus=2");
        Assert.Equal("0", guest.Run("cat /sys/devices/system/cpu/online"));

        // Its kernel makes the processor known; to use it is for its user space, which has no udev here.
        guest.Domain.SetVcpuCount(2);
        guest.Run("until echo 1 > /sys/devices/system/cpu/cpu1/online; do usleep 10000; done 2>/dev/null");
        guest.WaitUntil(() => guest.Domain.Status.OnlineVcpus == 2, "bringing a vCPU up");
        Assert.Equal("0-1", guest.Run("cat /sys/devices/system/cpu/online"));
        guest.Domain.SetVcpuCount(1);
        guest.WaitUntil(() => guest.Domain.Status.OnlineVcpus == 1, "taking a vCPU down");

        guest.Domain.SendSysRq('h');
        guest.WaitFor("sysrq: HELP");
        guest.Domain.Trigger(DomainTrigger.Nmi);
        guest.WaitFor("NMI received for unknown reason");

        int id = guest.Domain.Id;
        guest.Domain.Rename("shop");
        guest.Domain.RequestShutdown(ShutdownRequest.Reboot);
        guest.WaitForShell();
        Assert.Equal(id + 1, guest.Domain.Id);
        Assert.Equal("shop", guest.Domain.Config.Name);

        guest.Domain.RequestShutdown(ShutdownRequest.Poweroff);
        Assert.Equal(new DomainOutcome(ShutdownReason.Poweroff, false, ""), await guest.Domain.Completion.WaitAsync(GuestSession.Patience));
    }

    private static string Refusal(LocalToolstack machine) =>
        Assert.Throws<ToolstackException>(() => LocalGuest.BootToShell(machine, "other", "memory=160")).Message;

    /// <summary>Memory as the guest's kernel counts it.</summary>
    private static long TotalKiB(LocalGuest guest) =>
        long.Parse(guest.Run("awk '/MemTotal/ { print $2 }' /proc/meminfo"), CultureInfo.InvariantCulture);

    private static long ResidentMiB()
    {
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64 >> 20;
    }
}
