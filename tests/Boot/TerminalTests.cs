namespace Xen.Boot.Tests;

/// <summary>xm at a real terminal: every key is the guest's but one, and the shell gets its terminal back as it was.</summary>
public sealed class TerminalTests
{
    [Fact]
    public void Console_AtATerminal_PassesCtrlC_LeavesByCtrlBracket_AndRestoresTheTerminal()
    {
        using GuestSession session = GuestSession.StartAtTerminal(
            $"{Repository.Xm} create -c {Repository.Root}/examples/debian.cfg name=terminal kernel={Repository.Cached("vmlinuz-cloud")} " +
            $"ramdisk={Repository.Cached("initramfs.cpio.gz")}; echo code=$?; stty -a");
        session.WaitFor("Linux version");
        session.Type("\x03");
        session.WaitFor("[    0.0");
        session.Type("\x1d");
        session.WaitFor("left the console");
        session.WaitFor("code=0");
        string settings = session.WaitFor("echoke");
        Assert.Contains("\nisig icanon iexten echo ", settings, StringComparison.Ordinal);
    }
}
