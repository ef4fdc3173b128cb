using System.Globalization;

namespace Xen.Boot.Tests;

/// <summary>What goes wrong once in twenty boots is found here: races between vCPUs, and between them and the backends.</summary>
public sealed class RepeatedBootTests
{
    private const int Boots = 20;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Boot_ManyTimesInARow(int vcpus)
    {
        string count = vcpus.ToString(CultureInfo.InvariantCulture);
        for (int i = 0; i < Boots; i++)
        {
            using GuestSession guest = GuestSession.BootToShell("vmlinuz-cloud", "vcpus=" + count);
            Assert.Equal(count, guest.Run("nproc"));
            guest.Type("poweroff -f\n");
            Assert.Equal(0, guest.WaitForExit());
        }
    }
}
