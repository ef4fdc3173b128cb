using Xen.Abi;
using Xen.Builder.Images;
using Xen.Builder.StartOfDay;
using Xen.Core;
using Xen.Cpu;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>One life of a domain: built from its configuration, ended by <see cref="Dispose"/>. A restart is another life.</summary>
internal sealed class DomainLife : IDisposable
{
    /// <summary>From MiB to frames.</summary>
    public const int PagesPerMebibyteShift = 8;

    /// <summary>Any CPU that a machine may have.</summary>
    public static readonly IReadOnlySet<int> AnyCpu = Enumerable.Range(0, CpuSet.MaxCpus).ToHashSet();

    private readonly DomainControl _control;
    private readonly Dom0Services _dom0;
    private readonly DomainConfig _config;
    private readonly IReadOnlyList<DomainConsole> _consoles;

    private DomainLife(DomainHost host, DomainConfig config, IReadOnlyList<DomainConsole> consoles, Domain domain)
    {
        _control = host.Control;
        _dom0 = host.Dom0;
        _config = config;
        _consoles = consoles;
        Domain = domain;
        Devices = new DomainDevices(host.Dom0, domain, disk => host.Overlays.Open(config.Uuid, disk));
    }

    public Domain Domain { get; }

    /// <summary>Its consoles' other ends.</summary>
    public IReadOnlyList<DomainConsole> Consoles => _consoles;

    /// <summary>Its block devices and network interfaces.</summary>
    public DomainDevices Devices { get; }

    /// <summary>Builds a domain, paused; its consoles, xenstore and devices are attached. When that fails nothing is left.</summary>
    /// <exception cref="ToolstackException">What is wrong, where, and what to do.</exception>
    /// <param name="host">Where it is to live.</param>
    /// <param name="config">What it is to be.</param>
    /// <param name="consoles">Its consoles' other ends.</param>
    /// <param name="claim">The claim of its memory, which is disposed of when it has that.</param>
    public static DomainLife Build(DomainHost host, DomainConfig config, IReadOnlyList<DomainConsole> consoles, MemoryClaim claim)
    {
        // Reading and making the domain take about as long.
        using var images = new DomainImages(config);
        var settings = new DomainSettings(config.Name, config.MaxVcpus, (ulong)config.MaxMemoryMiB << PagesPerMebibyteShift)
        {
            Handle = config.Uuid,
            MaxEventChannels = config.MaxEventChannels,
            MaxGrantFrames = config.MaxGrantFrames,
            MaxMaptrackFrames = config.MaxMaptrackFrames,
            HiddenFeatures = config.HiddenCpuFeatures,
            CreateEngine = CpuEngines.FactoryOf(config.CpuEngine, config.CodeCacheMiB << 20),
        };
        XenErrno error = host.Control.Create(settings, out Domain? domain);
        if (error != XenErrno.OK)
            throw new ToolstackException($"domain '{config.Name}' cannot be created: {error}.");
        claim.Domain = domain;
        var life = new DomainLife(host, config, consoles, domain!);
        try
        {
            life.Start(images, claim);
            return life;
        }
        catch (ImageException fault)
        {
            life.Dispose();
            throw new ToolstackException(fault.Message + ".", fault);
        }
        catch
        {
            life.Dispose();
            throw;
        }
    }

    /// <summary>The set in the hypervisor's form; numbers that no machine has are left out.</summary>
    public static CpuSet ToCpuSet(IReadOnlySet<int> cpus)
    {
        ulong bits = 0;
        foreach (int cpu in cpus)
            bits |= cpu is >= 0 and < CpuSet.MaxCpus ? 1ul << cpu : 0;
        return new CpuSet(bits);
    }

    /// <summary>Takes devices and consoles from a domain that has shut down, and gives it another name and UUID; this is used no more then.</summary>
    public DomainLife KeepAs(DomainHost host, DomainConfig config)
    {
        _consoles[0].Detach();
        Devices.Dispose();
        if (DomainNodes.Readdress(_dom0.Store, Domain.Id, _config, config) is var error && error != XenErrno.OK)
            host.Machine.Log.Write($"{config.Name}: xenstore refuses its new name with {error}");
        Domain.Rename(config.Name);
        Domain.Handle = config.Uuid;
        var silent = new DomainConsole();
        silent.End();
        return new DomainLife(host, config, [silent], Domain);
    }

    /// <summary>Destroys the domain; what its consoles still hold can be read.</summary>
    public void Dispose()
    {
        _consoles[0].Detach();
        Devices.Dispose();
        _dom0.Release(Domain.Id);
        DomainNodes.Remove(_dom0.Store, Domain.Id, _config);
        _control.Destroy(Domain);
    }

    private void Start(DomainImages images, MemoryClaim claim)
    {
        // Before its memory: so it has the same huge page as what else the hypervisor keeps for the domain.
        if (!Domain.Grants.TryGrow(1))
            throw new ToolstackException($"domain '{_config.Name}' cannot have a grant table: raise max_grant_frames=, or end another domain.");
        ulong pages = (ulong)_config.MemoryMiB << PagesPerMebibyteShift;
        XenErrno error = Domain.AllocateMemory(pages);
        if (error != XenErrno.OK)
            throw new ToolstackException($"there are no {_config.MemoryMiB} MiB of memory left for domain '{_config.Name}': lower memory=, or end another domain.");
        claim.Dispose();
        Check(DomainControl.AllocateUnbound(Domain, out EvtchnPort storePort), "its xenstore channel");
        Check(DomainControl.AllocateUnbound(Domain, out EvtchnPort consolePort), "its console channel");

        StartOfDayState start = DomainBuilder.Build(new BuildMemory(_control, Domain), images.Kernel, new StartOfDayParameters
        {
            SharedInfoAddress = Domain.SharedInfoFrame.Address,
            StoreEvtchn = storePort,
            ConsoleEvtchn = consolePort,
            CommandLine = _config.CommandLine,
            Ramdisk = images.Ramdisk,
        });
        Check(Domain.PinInitialTables(Domain.FrameOf(start.PageTableRoot)), "its page tables");
        ApplyProcessorSettings();
        Attach(new StoreRings(Domain.FrameOf(start.XenStore), storePort, Domain.FrameOf(start.Console), consolePort));
        Check(DomainControl.SetContext(Domain.Vcpus[0], FirstContext(start)), "its first vCPU");
        Domain.ForgetBuild();
    }

    /// <summary>Connects console and xenstore, and plugs the configured devices in.</summary>
    private void Attach(StoreRings rings)
    {
        Check(Domain.Grants.Seed(new GrantRef(ReservedGrants.Console), DomId.Dom0, rings.ConsoleFrame), "the grant of its console");
        Check(Domain.Grants.Seed(new GrantRef(ReservedGrants.XenStore), DomId.Dom0, rings.StoreFrame), "the grant of its xenstore ring");
        _consoles[0].Attach(MachinePage.Hold(Domain, rings.ConsoleFrame), Bind(rings.ConsolePort, "its console channel"));
        Check(DomainNodes.Write(_dom0.Store, Domain.Id, _config, rings), "its xenstore nodes");
        Check(_dom0.Introduce(Domain.Id, MachinePage.Hold(Domain, rings.StoreFrame), Bind(rings.StorePort, "its xenstore channel")), "its xenstore");
        for (int number = 1; number < _consoles.Count; number++)
            Devices.AttachConsole(number, _config.Consoles[number], _consoles[number].Pipe);
        foreach (DiskConfig disk in _config.Disks)
            Devices.AttachDisk(disk);

        // Those with numbers first, so that the others take what is left.
        foreach (VifConfig vif in _config.Vifs.OrderBy(static vif => vif.DeviceId is null))
            Devices.AttachVif(vif);
    }

    private IEventPort Bind(EvtchnPort remote, string what)
    {
        Check(_dom0.Events.BindInterdomain(Domain.Id, remote, out IEventPort? port), what);
        return port!;
    }

    private void ApplyProcessorSettings()
    {
        Check(_control.SetShare(Domain, _config.CpuWeight, _config.CpuCap), "its share of the processors");
        for (int i = 0; i < Domain.Vcpus.Count && i < _config.Affinity.Count; i++)
        {
            if (DomainControl.SetAffinity(Domain.Vcpus[i], ToCpuSet(_config.Affinity[i])) != XenErrno.OK)
                throw new ToolstackException($"this machine has none of the CPUs that cpus= gives vCPU {i}: name some below {_control.Machine.Config.PhysicalCpuCount}.");
        }
    }

    /// <summary>The first vCPU at its kernel's entry. <b>Source</b>: xen.h, start-of-day; arch-x86/xen.h, vcpu_guest_context.</summary>
    private VcpuGuestContext FirstContext(StartOfDayState start)
    {
        var context = new VcpuGuestContext
        {
            Flags = VcpuGuestContextFlags.InKernel | VcpuGuestContextFlags.Online,
            KernelSs = FlatSelectors.KernelSs,
            KernelSp = start.StackPointer,
        };
        context.UserRegs.Rip = start.InstructionPointer;
        context.UserRegs.Rsp = start.StackPointer;
        context.UserRegs.Rsi = start.StartInfoAddress;
        context.UserRegs.Rflags = (ulong)RFlags.Interrupt;
        context.UserRegs.Cs = FlatSelectors.KernelCs;
        context.UserRegs.Ss = FlatSelectors.KernelSs;
        context.UserRegs.Ds = FlatSelectors.KernelDs;
        context.UserRegs.Es = FlatSelectors.KernelDs;
        context.UserRegs.Fs = FlatSelectors.KernelDs;
        context.UserRegs.Gs = FlatSelectors.KernelDs;
        context.Ctrlreg[3] = Domain.FrameOf(start.PageTableRoot).Address;
        return context;
    }

    private void Check(XenErrno error, string what)
    {
        if (error != XenErrno.OK)
            throw new ToolstackException($"domain '{Domain.Name}' cannot be built: {what} failed with {error}; its log (xm dmesg) may say more.");
    }
}
