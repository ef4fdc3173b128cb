using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>The domain's clock.</summary>
public sealed partial class Domain
{
    private const ulong NanosecondsPerSecond = 1_000_000_000;

    /// <inheritdoc/>
    public ulong ReadTsc() => Machine.Clock.Now;

    /// <summary>Writes the wall clock of shared_info: civil time at the machine's time 0.</summary>
    internal void PublishWallClock()
    {
        MachineMemory memory = Machine.Memory;
        ulong page = SharedInfoFrame.Address;
        ulong wall = Machine.Clock.WallClockAtStart;
        ref uint version = ref memory.Ref<uint>(page + SharedInfoLayout.WcVersion);
        uint odd = Volatile.Read(ref version) | 1;
        Interlocked.Exchange(ref version, odd);
        Volatile.Write(ref memory.Ref<uint>(page + SharedInfoLayout.WcSec), (uint)(wall / NanosecondsPerSecond));
        Volatile.Write(ref memory.Ref<uint>(page + SharedInfoLayout.WcSecHi), (uint)((wall / NanosecondsPerSecond) >> 32));
        Volatile.Write(ref memory.Ref<uint>(page + SharedInfoLayout.WcNsec), (uint)(wall % NanosecondsPerSecond));
        Interlocked.Exchange(ref version, odd + 1);
    }
}
