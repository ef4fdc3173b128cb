using System.Runtime.Intrinsics.X86;

namespace Xen.Boot.Tests;

/// <summary>The processor that a guest's kernel and programs see and use.</summary>
public sealed class ProcessorTests
{
    private const string Kernel = "vmlinuz-cloud";

    /// <summary>The kernel enables the AVX state; busybox's C library takes its AVX2 routines. What they compute is what they compute on the host.</summary>
    [Fact]
    public void Features_AreTheHosts_AndProgramsUseThem()
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel);
        Assert.Equal(Avx2.IsSupported ? "avx2" : "", guest.Run("grep -o -w -m1 avx2 /proc/cpuinfo | head -1"));
        Assert.Equal(Bmi2.X64.IsSupported ? "bmi2" : "", guest.Run("grep -o -w -m1 bmi2 /proc/cpuinfo | head -1"));
        if (Avx2.IsSupported)
            Assert.Contains("0x7", guest.Run("dmesg | grep 'Enabled xstate features'"), StringComparison.Ordinal);
        const string Work = "export LC_ALL=C; seq 1 30000 | sed 's/7/seven/g' | sort -r | tee /tmp/work | sha256sum; sha1sum </tmp/work; grep -c seven /tmp/work";
        string here = guest.Tool(Repository.Cached("busybox"), "sh", "-c", Work.Replace("/tmp/work", guest.StateFolder + "/work", StringComparison.Ordinal)).Out;
        Assert.Equal(here.Trim().ReplaceLineEndings("\n"), guest.Run(Work).Trim().ReplaceLineEndings("\n"));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Theory]
    [InlineData("host,avx2=0", "avx2 vaes vpclmulqdq", "sse4_2")]
    [InlineData("host,xsave=0,bmi1=0", "xsave avx avx2 fma bmi1", "sse4_2")]
    public void Features_ThatTheConfigurationHides_AreNotSeen(string value, string hidden, string left)
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel, "cpuid=" + value);
        foreach (string feature in hidden.Split(' '))
            Assert.Equal("0", guest.Run($"grep -c -w {feature} /proc/cpuinfo || true"));
        Assert.Equal("1", guest.Run($"grep -c -w {left} /proc/cpuinfo"));
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }
}
