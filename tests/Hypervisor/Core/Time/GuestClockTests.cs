using Xen.Abi;
using Xen.Memory;

namespace Xen.Core.Tests.Time;

public sealed class GuestClockTests
{
    [Fact]
    public void GuestsConversion_OfItsTsc_IsTheMachinesTimeExactly()
    {
        using Machine machine = TestMachine.Create(1, (_, _) => TestMachine.Spent);
        Domain domain = TestMachine.CreateDomain(machine, 1);
        ulong place = domain.Vcpus[0].Info.TimeAddress;
        MachineMemory memory = machine.Memory;

        uint version = (uint)memory.ReadUInt64(place);
        ulong timestamp = memory.ReadUInt64(place + 8);
        ulong systemTime = memory.ReadUInt64(place + 16);
        ulong scale = memory.ReadUInt64(place + 24);
        Assert.Equal(0u, version & 1);
        Assert.NotEqual(0u, version);
        Assert.Equal(timestamp, systemTime);

        int shift = (sbyte)(byte)(scale >> 32);
        foreach (ulong delta in (ulong[])[0, 1, 999, 1_000_000_007, 7_999_999_999])
        {
            ulong converted = systemTime + (ulong)(((UInt128)(delta << shift) * (uint)scale) >> 32);
            Assert.Equal(timestamp + delta, converted);
        }
    }

    [Fact]
    public void WallClock_PlusSystemTime_IsNow()
    {
        using Machine machine = TestMachine.Create(1, (_, _) => TestMachine.Spent);
        Domain domain = TestMachine.CreateDomain(machine, 1);
        ulong page = domain.SharedInfoFrame.Address;
        ulong words = machine.Memory.ReadUInt64(page + SharedInfoLayout.WcVersion);
        ulong rest = machine.Memory.ReadUInt64(page + SharedInfoLayout.WcNsec);
        ulong seconds = (words >> 32) + ((rest >> 32) << 32);
        double wall = seconds + (((uint)rest + machine.Clock.Now) / 1e9);

        Assert.Equal(0u, (uint)words & 1);
        Assert.InRange(wall, (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalSeconds - 5, (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalSeconds + 5);
    }
}
