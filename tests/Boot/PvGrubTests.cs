namespace Xen.Boot.Tests;

/// <summary>Debian's PV-GRUB, a kernel that is no Linux.</summary>
public sealed class PvGrubTests
{
    [Fact]
    public void Prompt_AnswersCommands()
    {
        using GuestSession guest = GuestSession.Start(
        [
            "create", "-c", Path.Combine(Repository.Root, "examples", "pvgrub.cfg"),
            "kernel=" + Repository.Cached("grub-x86_64-xen.bin"), "name=grub" + Guid.NewGuid().ToString("n")[..8],
        ]);
        guest.WaitFor("grub> ");
        guest.Type("echo 12''34\r");
        guest.WaitFor("1234");
        guest.WaitFor("grub> ");
        guest.Type("set answer=4''2\r");
        guest.WaitFor("grub> ");
        guest.Type("echo a${answer}z\r");
        guest.WaitFor("a42z");
        guest.WaitFor("grub> ");
        guest.Type("halt\r");
        Assert.Equal(0, guest.WaitForExit());
    }
}
