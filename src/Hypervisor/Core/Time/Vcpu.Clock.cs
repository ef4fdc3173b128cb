using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>What the guest can read about time without asking: its clock (vcpu_time_info) and its run state, and the copies it has registered.</summary>
/// <remarks>Threads: the one that owns the vCPU, outside of the guest.</remarks>
public sealed partial class Vcpu
{
    /// <summary>With a shift of 1, half of 2^32: one tick is one nanosecond, exactly.</summary>
    internal const uint TscToSystemMultiplier = 0x8000_0000;

    internal const sbyte TscShift = 1;

    /// <summary>How old the guest's time stamps may become; conversions by 64-bit arithmetic overflow after 8 s. <b>Units</b>: ns.</summary>
    private const ulong ClockRefresh = 1_000_000_000;

    private const ulong VersionOffset = 0, TimestampOffset = 8, SystemTimeOffset = 16, ScaleOffset = 24;

    private ulong _clockWritten;
    private ulong _clockWrittenAt;
    private ulong _timeArea;
    private ulong _runstateArea;

    /// <summary>Where the guest wants copies of its clock; 0 is nowhere.</summary>
    /// <param name="address">Linear address.</param>
    /// <param name="isCurrent">The calling thread runs this vCPU; else the copy is written when it gets a processor.</param>
    internal void RegisterTimeArea(ulong address, bool isCurrent)
    {
        Volatile.Write(ref _timeArea, address);
        Volatile.Write(ref _clockWrittenAt, 0);
        if (isCurrent)
            PublishClock(Domain.Machine.Clock.Now);
    }

    /// <summary>Where the guest wants copies of its run state; 0 is nowhere.</summary>
    /// <param name="address">Linear address.</param>
    /// <param name="isCurrent">The calling thread runs this vCPU.</param>
    internal void RegisterRunstateArea(ulong address, bool isCurrent)
    {
        Volatile.Write(ref _runstateArea, address);
        if (isCurrent)
            PublishRunstate();
    }

    /// <summary>Writes the guest's clock if it has become old or has moved.</summary>
    internal void PublishClock(ulong now)
    {
        ulong place = Info.TimeAddress;
        if (_clockWrittenAt == place && now - _clockWritten < ClockRefresh)
            return;
        _clockWritten = now;
        _clockWrittenAt = place;

        MachineMemory memory = State.Memory;
        State.Code.NoteWrite(Mfn.FromAddress(place));
        ref uint version = ref memory.Ref<uint>(place + VersionOffset);
        uint odd = Volatile.Read(ref version) | 1;
        Interlocked.Exchange(ref version, odd);
        memory.WriteUInt64(place + TimestampOffset, now);
        memory.WriteUInt64(place + SystemTimeOffset, now);
        memory.WriteUInt64(place + ScaleOffset, Scale());
        Interlocked.Exchange(ref version, odd + 1);
        PublishTimeArea(now);
    }

    /// <summary>Writes the copy of the run state, if the guest wants one. An address that is not mapped (any more) is skipped.</summary>
    private void PublishRunstate()
    {
        ulong area = Volatile.Read(ref _runstateArea);
        if (area == 0)
            return;
        VcpuRunstateInfo info = Scheduler.ReadRunstate(this);
        GuestMode mode = State.Mode;
        State.SwitchMode(GuestMode.Kernel);
        if (Domain.MarksRunstateUpdates)
        {
            ulong entered = info.StateEntryTime;
            ulong updating = entered | VcpuRunstateInfo.Update;
            info.StateEntryTime = updating;
            if (GuestStructs.TryWrite(this, area + sizeof(ulong), updating))
            {
                Interlocked.MemoryBarrier();
                _ = GuestStructs.TryWrite(this, area, info);
                Interlocked.MemoryBarrier();
                _ = GuestStructs.TryWrite(this, area + sizeof(ulong), entered);
            }
        }
        else
        {
            _ = GuestStructs.TryWrite(this, area, info);
        }

        State.SwitchMode(mode);
    }

    private void PublishTimeArea(ulong now)
    {
        ulong area = Volatile.Read(ref _timeArea);
        if (area == 0)
            return;
        GuestMode mode = State.Mode;
        State.SwitchMode(GuestMode.Kernel);
        if (GuestStructs.TryRead(this, area, out uint version) && GuestStructs.TryWrite(this, area, version |= 1))
        {
            var info = new VcpuTimeInfo
            {
                Version = version,
                TscTimestamp = now,
                SystemTime = now,
                TscToSystemMul = TscToSystemMultiplier,
                TscShift = TscShift,
                Flags = PvclockFlags.TscStable,
            };
            Interlocked.MemoryBarrier();
            _ = GuestStructs.TryWrite(this, area, info);
            Interlocked.MemoryBarrier();
            _ = GuestStructs.TryWrite(this, area, version + 1);
        }

        State.SwitchMode(mode);
    }

    /// <summary>The last 8 bytes of vcpu_time_info: multiplier, shift, flags.</summary>
    private static ulong Scale() =>
        TscToSystemMultiplier | ((ulong)(byte)TscShift << 32) | ((ulong)PvclockFlags.TscStable << 40);
}
