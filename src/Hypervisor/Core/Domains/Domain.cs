using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>
/// A domain: memory, vCPUs, event channels, and what the hypervisor knows of them. Split by verb into partial files:
/// this one has what it is made of.
/// </summary>
/// <remarks>
/// Locks, in their order: <see cref="PagingLock"/> before <see cref="EventLock"/> before the scheduler's. None is held while a guest runs.
/// </remarks>
public sealed partial class Domain : IGuestEnvironment
{
    private readonly Vcpu[] _vcpus;

    internal Domain(Machine machine, DomId id, DomainSettings settings, Mfn sharedInfoFrame)
    {
        int vcpuCount = settings.VcpuCount;
        Machine = machine;
        Id = id;
        Name = settings.Name;
        SharedInfoFrame = sharedInfoFrame;
        Features = CpuFeatures.OfHost.Hide(settings.HiddenFeatures);
        IoPorts = new IoPorts(this);
        Events = new EventChannelTable(this, vcpuCount);
        OwnedMemory = new DomainMemory(this);
        Flushes = new TlbFlushes(this, vcpuCount);
        Tables = new PageTables(this, OwnedMemory);
        Grants = new GrantTable(this, settings.MaxGrantFrames);
        Maps = new GrantMaps(this, settings.MaxMaptrackFrames);
        Watchdogs = new DomainWatchdogs(this);
        _vcpus = CreateVcpus(vcpuCount, settings.CreateEngine ?? machine.Config.CreateEngine);
    }

    /// <summary>Guards the domain's page tables, frame types and memory map.</summary>
    public Lock PagingLock { get; } = new();

    /// <summary>Guards the domain's event channels.</summary>
    public Lock EventLock { get; } = new();

    public Machine Machine { get; }

    public DomId Id { get; }

    /// <summary>The name, for people and logs; it may change at any time.</summary>
    public string Name { get; private set; }

    /// <summary>The processor features that CPUID shows.</summary>
    public CpuFeatures Features { get; }

    /// <summary>The vCPUs, by number; all exist from creation on, offline until brought up.</summary>
    public IReadOnlyList<Vcpu> Vcpus => _vcpus;

    /// <summary>The frame of the shared_info page; owned by the hypervisor, mapped by the guest.</summary>
    public Mfn SharedInfoFrame { get; }

    /// <summary>Gives it another name.</summary>
    public void Rename(string name) => Name = name;

    /// <summary>Makes the vCPUs. An engine may want memory that the host does not have; then nothing is left of those before it.</summary>
    private Vcpu[] CreateVcpus(int count, Func<VcpuState, ICpuEngine> createEngine)
    {
        var vcpus = new Vcpu[count];
        int made = 0;
        try
        {
            for (; made < count; made++)
                vcpus[made] = new Vcpu(this, new VcpuId(made), createEngine);
            return vcpus;
        }
        catch
        {
            foreach (Vcpu vcpu in vcpus.AsSpan(0, made))
                (vcpu.Engine as IDisposable)?.Dispose();
            throw;
        }
    }
}
