using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core.Tests.Paging;

/// <summary>
/// The slow checker: counts every reference of a domain's frames anew, from what refers to them, and compares with the frame table.
/// It knows the rules of direct paging, and nothing of the code that keeps them.
/// </summary>
internal sealed class FrameAudit(Machine machine)
{
    private const ulong Present = 1, Writable = 2, User = 4;

    private readonly Dictionary<ulong, long> _references = [];
    private readonly Dictionary<ulong, long> _uses = [];

    /// <summary>Checks all frames of the machine; <paramref name="holds"/> are frames that a test holds by <see cref="Domain.TryHoldWritable"/>.</summary>
    public static void Check(Machine machine, IReadOnlyList<Domain> domains, IEnumerable<Mfn>? holds = null)
    {
        var audit = new FrameAudit(machine);
        foreach (Domain domain in domains)
            audit.CountRoots(domain);
        foreach (Mfn frame in holds ?? [])
            audit.Use(frame);
        for (ulong i = 0; i < machine.Memory.FrameCount; i++)
            audit.CountFrame(new Mfn(i));
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
        Assert.Equal(machine.Frames.Owner(table), machine.Frames.Owner(target));
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
