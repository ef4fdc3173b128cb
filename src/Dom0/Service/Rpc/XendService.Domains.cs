using Grpc.Core;
using Xen.Contract.V1;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The life of domains.</summary>
internal sealed partial class XendService
{
    public override Task<ListDomainsReply> ListDomains(ListDomainsRequest request, ServerCallContext context)
    {
        CheckNames(request);
        return LookAsync(context, () => List(request));
    }

    private ListDomainsReply List(ListDomainsRequest request)
    {
        var reply = new ListDomainsReply();
        if (request.Domains.Count == 0)
        {
            reply.Domains.Add(state.DescribeDom0());
            reply.Domains.AddRange(state.Domains.Domains.Select(Messages.Of));
            if (request.WithInactive)
                reply.Domains.AddRange(state.Domains.Inactive.Select(Messages.Of));
        }
        else
        {
            reply.Domains.AddRange(request.Domains.Select(name => Describe(name, request.WithInactive)));
        }

        return reply;
    }

    private Domain Describe(string name, bool withInactive)
    {
        if (name is "0" or "Domain-0")
            return state.DescribeDom0();
        return withInactive && state.Domains.TryFind(name) is null && state.Domains.Definitions.Find(name) is { } definition
            ? Messages.Of(definition)
            : Messages.Of(state.Domains.Find(name));
    }

    public override Task<CreateDomainReply> CreateDomain(CreateDomainRequest request, ServerCallContext context) => OffPoolAsync(() =>
    {
        DomainConfig config = ReadConfig(request, out ConfigFile file);
        var reply = new CreateDomainReply { Warnings = { file.Warnings } };
        if (request.DryRun)
        {
            reply.Sxp = DomainConfigSxp.Write(config);
            return reply;
        }

        state.AutoStart.Begin();
        ManagedDomain domain = state.Domains.Create(config);
        state.Log.Write($"domain '{domain.Name}' ({domain.Domain.Id}) created");
        reply.Domain = Begin(domain, request.StartPaused, context);
        return reply;
    });

    /// <summary>Lets a new domain run; ends it if nobody waits for it any more.</summary>
    private static Domain Begin(ManagedDomain domain, bool paused, ServerCallContext context)
    {
        if (context.CancellationToken.IsCancellationRequested)
        {
            domain.Domain.Destroy();
            throw new OperationCanceledException(context.CancellationToken);
        }

        if (!paused)
            domain.Domain.Unpause();
        return Messages.Of(domain);
    }

    public override async Task<Xen.Contract.V1.DomainOutcome> WaitDomain(WaitDomainRequest request, ServerCallContext context)
    {
        using CancellationTokenSource until = Until(context);
        return Messages.Of(await state.Domains.WaitAsync(request.Handle).WaitAsync(until.Token).ConfigureAwait(false));
    }

    public override Task<Done> DestroyDomain(DomainRequest request, ServerCallContext context) => ControlAsync(() => state.Domains.Find(request.Domain).Domain.Destroy());

    public override Task<Done> PauseDomain(DomainRequest request, ServerCallContext context) => ControlAsync(() =>
    {
        ManagedDomain domain = state.Domains.Find(request.Domain);
        domain.Domain.Pause();
        state.Events.Publish(DomainEventKind.Paused, domain);
    });

    public override Task<Done> UnpauseDomain(DomainRequest request, ServerCallContext context) => ControlAsync(() =>
    {
        ManagedDomain domain = state.Domains.Find(request.Domain);
        domain.Domain.Unpause();
        state.Events.Publish(DomainEventKind.Unpaused, domain);
    });

    public override async Task WatchDomains(WatchDomainsRequest request, IServerStreamWriter<DomainEvent> responseStream, ServerCallContext context)
    {
        using CancellationTokenSource until = Until(context);
        using DomainEvents.Subscription events = state.Events.Subscribe();

        // The headers tell the client that from now on it misses nothing.
        await context.WriteResponseHeadersAsync([]).ConfigureAwait(false);
        await foreach (DomainHappening happening in events.ReadAllAsync(until.Token).ConfigureAwait(false))
            await responseStream.WriteAsync(Messages.Of(happening, events.TakeLost()), until.Token).ConfigureAwait(false);
    }

    private static string InstanceName(string name, int instance)
    {
        string whole = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name}{instance}");
        return DomainNameSyntax.IsLawful(whole) ? whole : throw new ToolstackException($"'{whole}' is no name for a domain: a name is {DomainNameSyntax.Rule}; give a shorter name=.");
    }

    private static DomainConfig ReadConfig(CreateDomainRequest request, out ConfigFile file)
    {
        try
        {
            file = ConfigFile.Parse(request.Config, request.Source, request.Overrides, Absolute(request.WorkingFolder));
            DomainConfig config = DomainConfigReader.Read(file);
            if (request.Instance > 0)
                config = config with { Name = InstanceName(config.Name, request.Instance) };
            return request.CopyOnWrite ? config.WithCopiedDisks() : config;
        }
        catch (ToolstackException fault)
        {
            throw new ArgumentException(fault.Message, fault);
        }
    }
}
