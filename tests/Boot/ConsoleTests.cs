namespace Xen.Boot.Tests;

/// <summary>Linux's own hvc_xen on consoles beyond the first.</summary>
public sealed class ConsoleTests
{
    private const string Kernel = "vmlinuz-cloud";

    [Fact]
    public void SecondConsole_CarriesBothWays_IsLogged_AndOutlivesAReboot()
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel, "console=['log,log_size=64K', 'name=debug,log', '']");
        using GuestSession first = guest.ConnectConsole(1), second = guest.ConnectConsole(2);
        guest.Run("for n in 1 2; do until [ -c /dev/hvc$n ]; do usleep 10000; done; done");
        string nodes = guest.Tool("xenstore-ls", "-p", "/local/domain/1/device/console/1").Out;
        foreach (string node in new[] { "limit = \"1048576\"", "name = \"debug\"", "output = \"pty\"", "tty = \"\"", "type = \"xenconsoled\"" })
            Assert.Matches($"(?m)^{node} .*\\(n0,r1\\)$", nodes);
        Assert.Matches("(?m)^ring-ref = \"\\d+\" .*\\(n1,r0\\)$", nodes);
        guest.Run("echo hello-one >/dev/hvc1; echo hello-two >/dev/hvc2");
        first.WaitFor("hello-one\r\n");
        second.WaitFor("hello-two\r\n");
        Assert.DoesNotContain("hello-two", first.Output, StringComparison.Ordinal);

        // What is typed arrives at this console, and at no other.
        guest.Type("head -n 1 </dev/hvc1\n");
        first.Type("typed at one\n");
        first.WaitFor("typed at one\r\n");
        guest.WaitFor("typed at one");
        guest.WaitFor("domu:~# ");

        // Much more than all buffers, with somebody who reads: nothing is lost.
        guest.Run("seq 1 30000 >/dev/hvc1; echo the-end >/dev/hvc1");
        Assert.Equal(string.Concat(Enumerable.Range(1, 30000).Select(static n => $"{n}\r\n")), first.WaitFor("the-end"));

        string logs = Path.Combine(guest.StateFolder, "log", "console");
        Assert.Contains("hello-one\r\n", File.ReadAllText(Path.Combine(logs, $"guest-{guest.Name}-1.log")), StringComparison.Ordinal);
        Assert.Contains("xen-sln: init running", File.ReadAllText(Path.Combine(logs, $"guest-{guest.Name}.log")), StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(logs, $"guest-{guest.Name}*.log").Length);

        // Somebody else at the same console sees what it showed last, and both see what follows.
        using (GuestSession third = guest.ConnectConsole(1))
        {
            third.WaitFor("the-end");
            guest.Run("echo to-both >/dev/hvc1");
            third.WaitFor("to-both\r\n");
            first.WaitFor("to-both\r\n");
        }

        guest.Type("reboot\n");
        guest.WaitForShell();
        guest.Run("until [ -c /dev/hvc1 ]; do usleep 10000; done; echo again >/dev/hvc1");
        first.WaitFor("again\r\n");

        guest.Type("echo last-words >/dev/hvc1; poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
        first.WaitFor("last-words");
        Assert.Equal((0, 0), (first.WaitForExit(), second.WaitForExit()));
        guest.AssertNothingRuns();
    }

    [Fact]
    public void NobodyReads_TheGuestIsNotHeldUp_AndTheLogIsBounded()
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel, "console=['', 'log,log_size=16K']");
        guest.Run("seq 1 50000 >/dev/hvc1; echo done >/dev/hvc1");
        string log = Path.Combine(guest.StateFolder, "log", "console", $"guest-{guest.Name}-1.log");
        using GuestSession late = guest.ConnectConsole(1);
        string kept = late.WaitFor("done\r\n");
        Assert.InRange(kept.Length, 50_000, 70_000);
        Assert.EndsWith("49999\r\n50000\r\n", kept, StringComparison.Ordinal);
        Assert.EndsWith("50000\r\ndone\r\n", File.ReadAllText(log), StringComparison.Ordinal);
        Assert.InRange(new FileInfo(log).Length + new FileInfo(log + ".1").Length, 1, 32 * 1024);
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Theory]
    [InlineData("console=['log=/proc/none/x.log']", "/proc/none/x.log")]
    [InlineData("console=['','log=/dev/null']", "no regular file")]
    public void Log_ThatCannotBe_IsOneSentence_AndNothingIsLeft(string console, string named)
    {
        using GuestSession guest = GuestSession.Boot(Kernel, console);
        Assert.Equal(1, guest.WaitForExit());
        Assert.Contains(named, guest.Errors, StringComparison.Ordinal);
        Assert.Single(guest.Errors.TrimEnd('\n').Split('\n'));
        guest.AssertNothingRuns();
    }
}
