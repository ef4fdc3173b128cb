using Xen.Abi;
using Xen.Builder.Images;
using Xen.Builder.StartOfDay;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>One life of a domain: built from its configuration, ended by <see cref="Dispose"/>. A restart is another life.</summary>
internal sealed class DomainLife : IDisposable
{
    private const int PagesPerMebibyteShift = 8;

    private readonly DomainControl _control;
    private readonly DomainConsole _console;
    private AbsentStore? _store;

    private DomainLife(DomainControl control, DomainConsole console, Domain domain)
    {
        _control = control;
        _console = console;
        Domain = domain;
    }

    public Domain Domain { get; }

    /// <summary>Builds a domain, paused; its console is attached. When that fails nothing is left.</summary>
    /// <exception cref="ToolstackException">What is wrong, where, and what to do.</exception>
    public static DomainLife Build(DomainControl control, DomainConfig config, DomainConsole console)
    {
        try
        {
            KernelImage kernel = KernelImage.Load(config.Kernel);
            byte[] ramdisk = config.Ramdisk is null ? [] : ImageFile.Read(config.Ramdisk);
            return Build(control, config, console, kernel, ramdisk);
        }
        catch (ImageException fault)
        {
            throw new ToolstackException(fault.Message + ".", fault);
        }
    }

    /// <summary>Destroys the domain; what its console still holds can be read.</summary>
    public void Dispose()
    {
        _console.Detach();
        _store?.Dispose();
        _control.Destroy(Domain);
    }

    private static DomainLife Build(
        DomainControl control, DomainConfig config, DomainConsole console, KernelImage kernel, ReadOnlyMemory<byte> ramdisk)
    {
        var settings = new DomainSettings(config.Name, config.MaxVcpus, (ulong)config.MaxMemoryMiB << PagesPerMebibyteShift) { Handle = config.Uuid };
        XenErrno error = control.Create(settings, out Domain? domain);
        if (error != XenErrno.OK)
            throw new ToolstackException($"domain '{config.Name}' cannot be created: {error}.");
        var life = new DomainLife(control, console, domain!);
        try
        {
            life.Start(config, kernel, ramdisk);
            return life;
        }
        catch
        {
            life.Dispose();
            throw;
        }
    }

    private void Start(DomainConfig config, KernelImage kernel, ReadOnlyMemory<byte> ramdisk)
    {
        ulong pages = (ulong)config.MemoryMiB << PagesPerMebibyteShift;
        XenErrno error = Domain.AllocateMemory(pages);
        if (error != XenErrno.OK)
            throw new ToolstackException($"there are no {config.MemoryMiB} MiB of memory left for domain '{config.Name}': lower memory=, or end another domain.");
        Check(DomainControl.AllocateUnbound(Domain, out EvtchnPort storePort), "its xenstore channel");
        Check(DomainControl.AllocateUnbound(Domain, out EvtchnPort consolePort), "its console channel");

        StartOfDayState start = DomainBuilder.Build(new BuildMemory(_control, Domain), kernel, new StartOfDayParameters
        {
            SharedInfoAddress = Domain.SharedInfoFrame.Address,
            StoreEvtchn = storePort,
            ConsoleEvtchn = consolePort,
            CommandLine = config.CommandLine,
            Ramdisk = ramdisk,
        });
        Check(Domain.PinInitialTables(Domain.FrameOf(start.PageTableRoot)), "its page tables");
        ApplyProcessorSettings(config);
        var console = HostEventPort.Bind(Domain, consolePort);
        _console.Attach(MachinePage.Hold(Domain, Domain.FrameOf(start.Console)), console);
        _store = new AbsentStore(MachinePage.Hold(Domain, Domain.FrameOf(start.XenStore)), HostEventPort.Bind(Domain, storePort));
        Check(DomainControl.SetContext(Domain.Vcpus[0], FirstContext(start)), "its first vCPU");
        Domain.ForgetBuild();
    }

    private void ApplyProcessorSettings(DomainConfig config)
    {
        Check(_control.SetShare(Domain, config.CpuWeight, config.CpuCap), "its share of the processors");
        for (int i = 0; i < Domain.Vcpus.Count && i < config.Affinity.Count; i++)
        {
            ulong bits = 0;
            foreach (int cpu in config.Affinity[i])
                bits |= cpu < CpuSet.MaxCpus ? 1ul << cpu : 0;
            if (DomainControl.SetAffinity(Domain.Vcpus[i], new CpuSet(bits)) != XenErrno.OK)
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
