using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// What a privileged domain's toolstack asks of the hypervisor, after domctl: create, build, start, hold, end and watch domains.
/// Read this first if you write a toolstack.
/// </summary>
/// <remarks>Any thread. A domain is built while it is paused, by one thread, but for the contents of its pages.</remarks>
public sealed class DomainControl(Machine machine)
{
    public Machine Machine => machine;

    /// <summary>Makes a domain without memory, paused, all its vCPUs offline.</summary>
    /// <returns>EINVAL: vCPUs, event channels or limits of grants out of range. ENOMEM: no frame for shared_info, or no domain number is left.</returns>
    public XenErrno Create(DomainSettings settings, out Domain? domain)
    {
        domain = null;
        bool lawful = settings.VcpuCount is >= 1 and <= DomainSettings.MaxVcpus
            && settings.MaxEventChannels is >= 1 and <= DomainSettings.MaxMaxEventChannels
            && settings.MaxGrantFrames is >= 1 and <= DomainSettings.HighestGrantFrames
            && settings.MaxMaptrackFrames is >= 0 and <= DomainSettings.HighestMaptrackFrames;
        if (!lawful)
            return XenErrno.EINVAL;
        return machine.TryCreateDomain(settings, out domain) ? XenErrno.OK : XenErrno.ENOMEM;
    }

    /// <summary>
    /// Writes into a page of a domain that is being built. The range lies within the page. Several threads may write, none where another does.
    /// </summary>
    public void WritePage(Domain domain, Pfn page, int offset, ReadOnlySpan<byte> bytes)
    {
        Mfn frame = domain.FrameOf(page);
        machine.Code.NoteWrite(frame);
        bytes.CopyTo(machine.Memory.Frame(frame)[offset..]);
    }

    /// <summary>Gives a vCPU its registers (XEN_DOMCTL_setvcpucontext). <b>Errors</b>: those of <see cref="VcpuContext.Apply"/>.</summary>
    public static XenErrno SetContext(Vcpu vcpu, in VcpuGuestContext context)
    {
        XenErrno error = VcpuContext.Apply(vcpu, context, current: null);
        if (error == XenErrno.OK && (context.Flags & VcpuGuestContextFlags.Online) != 0)
            vcpu.BringUp();
        return error;
    }

    /// <summary>Allocates a port of the domain that domain 0 may bind to: console, xenstore.</summary>
    public static XenErrno AllocateUnbound(Domain domain, out EvtchnPort port) => domain.Events.AllocateUnbound(DomId.Dom0, out port);

    /// <summary>Changes the share of the processors (XEN_DOMCTL_scheduler_op).</summary>
    /// <param name="domain">Whose.</param>
    /// <param name="weight">1 to 65535; 256 is the usual.</param>
    /// <param name="cap">Percent of one processor; 0 is no limit.</param>
    /// <returns>EINVAL: out of range.</returns>
    public XenErrno SetShare(Domain domain, int weight, int cap)
    {
        if (weight is < CreditAccount.MinWeight or > CreditAccount.MaxWeight || cap < 0 || cap > 100 * CpuSet.MaxCpus)
            return XenErrno.EINVAL;
        machine.Scheduler.SetShare(domain, weight, cap);
        return XenErrno.OK;
    }

    /// <summary>The share of the processors.</summary>
    public static (int Weight, int Cap) GetShare(Domain domain) => (domain.Credit.Weight, domain.Credit.Cap);

    /// <summary>Pins a vCPU (XEN_DOMCTL_setvcpuaffinity). <b>Errors</b>: EINVAL when the machine has none of the CPUs.</summary>
    public static XenErrno SetAffinity(Vcpu vcpu, CpuSet cpus) => vcpu.SetAffinity(cpus) ? XenErrno.OK : XenErrno.EINVAL;

    /// <summary>How a domain stands.</summary>
    public DomainInfo GetInfo(Domain domain)
    {
        int online = 0, blocked = 0, active = 0;
        ulong time = 0;
        foreach (Vcpu vcpu in domain.Vcpus)
        {
            VcpuRunstateInfo runstate = machine.Scheduler.ReadRunstate(vcpu);
            time += runstate.Time[(int)Runstate.Running];
            if (!vcpu.IsUp)
                continue;
            online++;
            blocked += runstate.State == Runstate.Blocked ? 1 : 0;
            active += runstate.State is Runstate.Running or Runstate.Runnable ? 1 : 0;
        }

        return new DomainInfo(
            domain.TotalPages, online, active > 0, online > 0 && blocked == online, domain.PauseCount > 0, domain.IsShutDown, domain.ShutdownReason,
            domain.IsDying, time);
    }

    /// <summary>How a vCPU stands (XEN_DOMCTL_getvcpuinfo, XEN_DOMCTL_getvcpuaffinity).</summary>
    public VcpuInfo GetVcpuInfo(Vcpu vcpu) => machine.Scheduler.ReadInfo(vcpu);

    /// <summary>How a vCPU has spent its time.</summary>
    public VcpuRunstateInfo GetRunstate(Vcpu vcpu) => machine.Scheduler.ReadRunstate(vcpu);

    /// <summary>Ends a domain and gives back all it has. Does nothing when it has been destroyed already.</summary>
    public void Destroy(Domain domain) => machine.DestroyDomain(domain);
}
