using System.CommandLine;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary><c>xm shutdown</c> and <c>xm reboot</c>: ask one guest or all, and wait for them if told to.</summary>
internal sealed class ShutdownCommands(XmContext context)
{
    /// <summary>After so long without an end a guest is asked again: a kernel that is still booting ignores it.</summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(15);

    private readonly ServiceCalls _xend = new(context);

    public IEnumerable<Command> Build()
    {
        Option<bool> halt = new("--halt", "-H") { Description = "Halt the guest, without power off." };
        Option<bool> reboot = new("--reboot", "-R") { Description = "Reboot, as xm reboot does." };
        yield return Build("shutdown", "Ask guests to shut down.", [halt, reboot], parsed =>
            parsed.GetValue(reboot) ? ShutdownDomainRequest.Types.Kind.Reboot : parsed.GetValue(halt) ? ShutdownDomainRequest.Types.Kind.Halt : ShutdownDomainRequest.Types.Kind.Poweroff);
        yield return Build("reboot", "Ask guests to reboot.", [], static _ => ShutdownDomainRequest.Types.Kind.Reboot);
    }

    private Command Build(string verb, string description, IEnumerable<Option> options, Func<ParseResult, ShutdownDomainRequest.Types.Kind> kind)
    {
        Argument<string?> name = new("DOMAIN") { Description = "Its name or number.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> all = new("--all", "-a") { Description = "All of them." };
        Option<bool> wait = new("--wait", "-w") { Description = "Wait until they have." };
        Command command = new(verb, description) { name, all, wait };
        foreach (Option option in options)
            command.Add(option);
        command.SetAction((parsed, _) =>
        {
            string? domain = parsed.GetValue(name);
            if (domain is null != parsed.GetValue(all))
                throw new UsageException("name one domain, or give -a for all of them.");
            return _xend.UseAsync(start: false, client => AskAsync(client, domain, kind(parsed), parsed.GetValue(wait)));
        });
        return command;
    }

    private async Task<int> AskAsync(Xend.XendClient client, string? name, ShutdownDomainRequest.Types.Kind kind, bool wait)
    {
        var request = new ListDomainsRequest();
        if (name is not null)
            request.Domains.Add(name);
        Domain[] domains = [.. (await client.ListDomainsAsync(request).ConfigureAwait(false)).Domains.Where(d => name is not null || d.Id != 0)];
        foreach (Domain domain in domains)
            await client.ShutdownDomainAsync(new ShutdownDomainRequest { Domain = domain.Name, Kind = kind }).ConfigureAwait(false);
        if (!wait)
            return ExitCode.Ok;
        await Task.WhenAll(domains.Select(domain => WaitAsync(client, domain, kind))).ConfigureAwait(false);
        return ExitCode.Ok;
    }

    /// <summary>Until it has ended, or has another number.</summary>
    private async Task WaitAsync(Xend.XendClient client, Domain domain, ShutdownDomainRequest.Types.Kind kind)
    {
        bool reboots = kind == ShutdownDomainRequest.Types.Kind.Reboot;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.Stop);
        Task ended = client.WaitDomainAsync(new WaitDomainRequest { Handle = domain.Handle }, cancellationToken: over.Token).ResponseAsync;
        Task first = reboots ? await Task.WhenAny(ended, RestartAsync(client, domain, over.Token)).ConfigureAwait(false) : ended;
        if (!reboots)
            await KeepAskingAsync(client, domain, kind, ended).ConfigureAwait(false);
        await first.ConfigureAwait(false);
        context.Out.WriteLine(first == ended ? $"Domain {domain.Name} terminated" : $"Domain {domain.Name} restarted");
        await over.CancelAsync().ConfigureAwait(false);
    }

    private static async Task KeepAskingAsync(Xend.XendClient client, Domain domain, ShutdownDomainRequest.Types.Kind kind, Task ended)
    {
        while (await Task.WhenAny(ended, Task.Delay(AskAgain)).ConfigureAwait(false) != ended)
        {
            try
            {
                await client.ShutdownDomainAsync(new ShutdownDomainRequest { Domain = domain.Name, Kind = kind }).ConfigureAwait(false);
            }
            catch (Grpc.Core.RpcException e) when (e.StatusCode is Grpc.Core.StatusCode.NotFound or Grpc.Core.StatusCode.FailedPrecondition)
            {
                // It has just ended, or is about to.
            }
        }
    }

    private static async Task RestartAsync(Xend.XendClient client, Domain domain, CancellationToken stop)
    {
        using Grpc.Core.AsyncServerStreamingCall<DomainEvent> events = client.WatchDomains(new WatchDomainsRequest(), cancellationToken: stop);
        await events.ResponseHeadersAsync.ConfigureAwait(false);

        // It may have restarted before we listened.
        bool hears = true;
        while (hears && await HasSameLifeAsync(client, domain, stop).ConfigureAwait(false))
        {
            do
                hears = await events.ResponseStream.MoveNext(stop).ConfigureAwait(false);
            while (hears && events.ResponseStream.Current.Handle != domain.Handle);
        }
    }

    private static async Task<bool> HasSameLifeAsync(Xend.XendClient client, Domain domain, CancellationToken stop) =>
        (await client.ListDomainsAsync(new ListDomainsRequest(), cancellationToken: stop).ConfigureAwait(false)).Domains.Any(d => d.Handle == domain.Handle && d.Id == domain.Id);
}
