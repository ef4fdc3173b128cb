using Grpc.Core;
using Xen.Contract.V1;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>Managed domains.</summary>
internal sealed partial class XendService
{
    public override Task<CreateDomainReply> DefineDomain(CreateDomainRequest request, ServerCallContext context) => OffPoolAsync(() =>
    {
        DomainConfig config = ReadConfig(request, out ConfigFile file);
        var reply = new CreateDomainReply { Warnings = { file.Warnings } };
        if (request.DryRun)
        {
            reply.Sxp = DomainConfigSxp.Write(config);
            return reply;
        }

        var definition = new DomainDefinition
        {
            Uuid = config.Uuid,
            Name = config.Name,
            Config = request.Config,
            Source = file.Path,
            Overrides = [.. request.Overrides],
            WorkingFolder = request.WorkingFolder,
            CopyOnWrite = request.CopyOnWrite,
            MemoryMiB = config.MemoryMiB,
            MaxMemoryMiB = config.MaxMemoryMiB,
            Vcpus = config.Vcpus,
            MaxVcpus = config.MaxVcpus,
            CpuWeight = config.CpuWeight,
            CpuCap = config.CpuCap,
            StartsWithXend = config.StartsWithXend,
        };
        state.Domains.Define(definition);
        state.Log.Write($"domain '{definition.Name}' is managed from now on");
        reply.Domain = Messages.Of(definition);
        return reply;
    });

    public override Task<CreateDomainReply> StartDomain(StartDomainRequest request, ServerCallContext context) => OffPoolAsync(() =>
    {
        state.AutoStart.Begin();
        ManagedDomain domain = state.Domains.Start(request.Domain, out IReadOnlyList<string> warnings);
        state.Log.Write($"domain '{domain.Name}' ({domain.Domain.Id}) started");
        return new CreateDomainReply { Domain = Begin(domain, request.StartPaused, context), Warnings = { warnings } };
    });

    public override Task<Done> DeleteDomain(DomainRequest request, ServerCallContext context) => OffPoolAsync(() =>
    {
        state.Domains.Delete(request.Domain);
        state.Log.Write($"domain '{request.Domain}' is forgotten");
    });

    public override Task<TextReply> DescribeDomains(ListDomainsRequest request, ServerCallContext context) => LookAsync(context, () =>
    {
        CheckNames(request);
        IEnumerable<string> texts = request.Domains.Count > 0 ? request.Domains.Select(Describe)
            : [DescribeDom0(), .. state.Domains.Domains.Select(static domain => DomainSxp.Write(domain.Domain)), .. request.WithInactive ? state.Domains.Inactive.Select(Describe) : []];
        return new TextReply { Text = string.Concat(texts) };
    });

    private string DescribeDom0() => DomainSxp.WriteDom0(state.Toolstack.Info, Environment.WorkingSet >> 20, Environment.CpuUsage.TotalTime, state.Started);

    private static string Describe(DomainDefinition definition)
    {
        try
        {
            return DomainSxp.Write(definition.Read(out _));
        }
        catch (ToolstackException fault)
        {
            // It cannot be started as things stand; what is known of it is said all the same.
            return DomainSxp.WriteUnusable(definition.Name, definition.Uuid, definition.MemoryMiB, definition.MaxMemoryMiB, definition.Vcpus, fault.Message);
        }
    }

    private string Describe(string nameOrId)
    {
        if (nameOrId is "0" or "Domain-0")
            return DescribeDom0();
        if (state.Domains.TryFind(nameOrId) is { } running)
            return DomainSxp.Write(running.Domain);
        return state.Domains.Definitions.Find(nameOrId) is { } definition ? Describe(definition) : DomainSxp.Write(state.Domains.Find(nameOrId).Domain);
    }
}
