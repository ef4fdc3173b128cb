using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core.Tests.Paging;

/// <summary>
/// The slow checker: counts every reference of a domain's frames anew, from what refers to them, and compares with the frame table.
/// It knows the rules of direct paging and of grants, and nothing of the code that keeps them.
/// </summary>
internal sealed class FrameAudit(Machine machine)
{
    private const ulong Present = 1, Writable = 2, User = 4;

    private readonly Dictionary<ulong, long> _references = [];
    private readonly Dictionary<ulong, long> _uses = [];
    private readonly Dictionary<(DomId Mapper, ulong Frame, bool Writable), int> _foreign = [];
    private readonly Dictionary<GrantTable, (int Readers, int Writers)> _pins = [];

    /// <summary>Checks all frames of the machine; <paramref name="holds"/> are frames that a test holds by <see cref="Domain.TryHoldWritable"/>.</summary>
    public static void Check(Machine machine, IReadOnlyList<Domain> domains, IEnumerable<Mfn>? holds = null)
    {
        var audit = new FrameAudit(machine);
        foreach (Domain domain in domains)
            audit.CountRoots(domain);
        foreach (Mfn frame in holds ?? [])
            audit.Use(frame);
        audit.CountMaps(machine.HostGrants.Track, isHost: true);
        foreach (Domain domain in machine.Domains)
            audit.CountMaps(domain.Maps.Track, isHost: false);
        for (ulong i = 0; i < machine.Memory.FrameCount; i++)
            audit.CountFrame(new Mfn(i));
        audit.CompareForeign();
        audit.ComparePins();
        for (ulong i = 0; i < machine.Memory.FrameCount; i++)
            audit.Compare(new Mfn(i));
    }

    private void CountRoots(Domain domain)
    {
        foreach (Vcpu vcpu in domain.Vcpus)
        {
            foreach (Mfn root in new[] { vcpu.State.KernelRoot, vcpu.State.UserRoot })
            {
                if (root == Mfn.Invalid)
                    continue;
                Assert.Equal(4, machine.Frames.TableLevel(root));
                Use(root);
            }

            foreach (Mfn frame in vcpu.Descriptors.GdtFrames)
            {
                Assert.True(machine.Frames.IsValidType(frame, FrameType.SegmentDescriptors));
                Use(frame);
            }
        }
    }

    /// <summary>Handles: those of the host, and those of devices, hold the references themselves; all stand for pins.</summary>
    private void CountMaps(MapTrack track, bool isHost)
    {
        int live = 0;
        for (uint i = 0; i < track.Size; i++)
        {
            if (!track.TryPeek(new GrantHandle(i), out GrantMap map))
                continue;
            live++;
            bool device = (map.Flags & GrantMapFlags.DeviceMap) != 0, host = (map.Flags & GrantMapFlags.HostMap) != 0;
            int pins = (device ? 1 : 0) + (host ? 1 : 0);
            (int readers, int writers) = _pins.GetValueOrDefault(map.Granter);
            _pins[map.Granter] = map.IsReadOnly ? (readers + pins, writers) : (readers, writers + pins);
            if (!isHost && !device)
                continue;
            if (map.IsReadOnly)
                Add(_references, map.Frame);
            else
                Use(map.Frame);
        }

        Assert.Equal(live, track.Active);
    }

    private void ComparePins()
    {
        foreach (GrantTable table in _pins.Keys.Concat(machine.Domains.Select(static domain => domain.Grants)).Distinct())
        {
            GrantAudit counted = table.Audit();
            Assert.Equal(_pins.GetValueOrDefault(table), (counted.Readers, counted.Writers));
        }
    }

    private void CompareForeign()
    {
        foreach (((DomId mapper, ulong frame, bool writable), int count) in _foreign)
        {
            (int readers, int writers) = machine.FindDomain(mapper)!.Tables.Foreign.Count(new Mfn(frame));
            Assert.Equal(count, writable ? writers : readers);
        }

        foreach (Domain domain in machine.Domains)
            Assert.Equal(_foreign.Where(entry => entry.Key.Mapper == domain.Id).Sum(static entry => entry.Value), domain.Tables.Foreign.Entries);
    }

    private void CountFrame(Mfn frame)
    {
        FrameTable frames = machine.Frames;
        if (!frames.IsInUse(frame))
            return;
        if (frames.IsAllocated(frame))
            Add(_references, frame);
        if (frames.IsShared(frame))
            Use(frame);
        if (frames.IsPinned(frame))
        {
            Assert.InRange(frames.TableLevel(frame), 1, 4);
            Use(frame);
        }

        int level = frames.TypeUsers(frame) == 0 ? 0 : (int)frames.Type(frame) is >= 1 and <= 4 and var l ? l : 0;
        if (level == 0)
            return;
        Assert.True(frames.IsValid(frame));
        for (int i = 0; i < Page.EntriesPerTable; i++)
            CountEntry(frame, level, i, machine.Memory.ReadUInt64(frame.Address + ((ulong)i * 8)));
    }

    private void CountEntry(Mfn table, int level, int index, ulong entry)
    {
        if (level == 4 && index is >= 256 and <= 271)
        {
            Assert.Equal(0ul, entry);
            return;
        }

        if ((entry & Present) == 0)
            return;
        Assert.NotEqual(0ul, entry & User);
        var target = new Mfn((entry & 0x000F_FFFF_FFFF_F000) >> 12);
        if (level == 4 && target == table)
        {
            Assert.Equal(0ul, entry & Writable);
            return;
        }

        Assert.True(machine.Frames.IsInUse(target), $"{table}[{index}] refers to a free frame");
        if (machine.Frames.Owner(table) != machine.Frames.Owner(target))
        {
            Assert.Equal(1, level);
            (DomId, ulong, bool) key = (machine.Frames.Owner(table), target.Value, (entry & Writable) != 0);
            _foreign[key] = _foreign.GetValueOrDefault(key) + 1;
        }

        if (level > 1)
        {
            Assert.Equal(level - 1, machine.Frames.TableLevel(target));
            Use(target);
        }
        else if ((entry & Writable) != 0)
        {
            Assert.True(machine.Frames.IsValidType(target, FrameType.Writable));
            Use(target);
        }
        else
        {
            Add(_references, target);
        }
    }

    private void Compare(Mfn frame)
    {
        long references = _references.GetValueOrDefault(frame.Value);
        long uses = _uses.GetValueOrDefault(frame.Value);
        if (references != machine.Frames.References(frame) || uses != machine.Frames.TypeUsers(frame))
        {
            Assert.Fail(
                $"{frame} ({machine.Frames.Type(frame)}): {machine.Frames.References(frame)} references, {machine.Frames.TypeUsers(frame)} uses; " +
                $"counted {references}, {uses}");
        }
    }

    private void Use(Mfn frame)
    {
        Add(_references, frame);
        Add(_uses, frame);
    }

    private static void Add(Dictionary<ulong, long> counts, Mfn frame) => counts[frame.Value] = counts.GetValueOrDefault(frame.Value) + 1;
}
