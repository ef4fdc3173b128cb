using Grpc.Core;
using Xen.Contract.V1;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>What is asked of running domains, and what is set for them.</summary>
internal sealed partial class XendService
{
    public override Task<Done> ShutdownDomain(ShutdownDomainRequest request, ServerCallContext context) => With(request.Domain, domain => domain.RequestShutdown(request.Kind switch
    {
        ShutdownDomainRequest.Types.Kind.Reboot => ShutdownRequest.Reboot,
        ShutdownDomainRequest.Types.Kind.Halt => ShutdownRequest.Halt,
        _ => ShutdownRequest.Poweroff,
    }));

    public override Task<Done> ResetDomain(DomainRequest request, ServerCallContext context) => OffPoolAsync(() => state.Domains.Find(request.Domain).Domain.Reset());

    public override Task<Done> RenameDomain(RenameDomainRequest request, ServerCallContext context) =>
        ControlAsync(() => state.Domains.Rename(request.Domain, request.Name));

    public override Task<Done> SendSysRq(SysRqRequest request, ServerCallContext context) => With(
        request.Domain, domain => domain.SendSysRq(request.Key.Length == 1 ? request.Key[0] : throw new ArgumentException("a SysRq key is one character.")));

    public override Task<Done> TriggerDomain(TriggerRequest request, ServerCallContext context) => With(request.Domain, domain =>
    {
        if (request.Trigger.Length == 0 || !char.IsAsciiLetter(request.Trigger[0]) || !Enum.TryParse(request.Trigger, ignoreCase: true, out DomainTrigger trigger))
            throw new ArgumentException($"'{request.Trigger}' is no trigger: {string.Join(", ", Enum.GetNames<DomainTrigger>()).ToLowerInvariant()} are.");
        domain.Trigger(trigger, request.Vcpu);
    });

    public override Task<Done> SetMemoryTarget(SetMemoryRequest request, ServerCallContext context) => With(request.Domain, domain => domain.SetMemoryTarget(request.Mebibytes));

    public override Task<Done> SetMaxMemory(SetMemoryRequest request, ServerCallContext context) => With(request.Domain, domain => domain.SetMaxMemory(request.Mebibytes));

    public override Task<Done> SetVcpuCount(SetVcpuCountRequest request, ServerCallContext context) => With(request.Domain, domain => domain.SetVcpuCount(request.Count));

    public override Task<ListVcpusReply> ListVcpus(ListDomainsRequest request, ServerCallContext context)
    {
        CheckNames(request);
        return LookAsync(context, () =>
        {
            IEnumerable<ManagedDomain> domains = request.Domains.Count == 0 ? state.Domains.Domains : request.Domains.Select(state.Domains.Find);
            return new ListVcpusReply { Domains = { domains.Select(Messages.VcpusOf) } };
        });
    }

    public override Task<Done> PinVcpu(PinVcpuRequest request, ServerCallContext context) => With(request.Domain, domain =>
    {
        if (!CpuSetSyntax.TryParse(request.Cpus, out HashSet<int>? cpus))
            throw new ArgumentException($"'{request.Cpus}' is no set of CPUs: it is written as 0-3,^1 or all.");
        domain.PinVcpu(request.Vcpu < 0 ? null : request.Vcpu, request.Cpus == "all" ? null : cpus);
    });

    public override Task<Done> SetShare(SetShareRequest request, ServerCallContext context) => With(
        request.Domain, domain => domain.SetShare(request.HasWeight ? request.Weight : null, request.HasCap ? request.Cap : null));

    public override Task<DumpCoreReply> DumpCore(DumpCoreRequest request, ServerCallContext context) => OffPoolAsync(() => new DumpCoreReply
    {
        Path = state.Domains.Find(request.Domain).Domain.DumpCore(
            request.Path.Length == 0 ? null : Absolute(request.Path), new CoreDumpOptions(request.Live, request.Crash, request.Reset)),
    });

    private Task<Done> With(string name, Action<IRunningDomain> action) => ControlAsync(() => action(state.Domains.Find(name).Domain));
}
