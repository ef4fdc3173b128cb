using System.CommandLine;
using System.Globalization;
using Grpc.Core;
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
        List<Domain> asked = [];
        foreach (Domain domain in domains)
        {
            try
            {
                await client.ShutdownDomainAsync(new ShutdownDomainRequest { Domain = domain.Name, Kind = kind }).ConfigureAwait(false);
                asked.Add(domain);
            }
            catch (RpcException e) when (domains.Length > 1 && IsRefusal(e))
            {
                // The others are asked all the same.
                context.Say(e.Status.Detail);
            }
        }

        if (wait)
            await Task.WhenAll(asked.Select(domain => WaitAsync(client, domain, kind))).ConfigureAwait(false);
        return asked.Count == domains.Length ? ExitCode.Ok : ExitCode.Failed;
    }

    private static bool IsRefusal(RpcException fault) => fault.StatusCode is StatusCode.NotFound or StatusCode.FailedPrecondition;

    /// <summary>Until it has ended, lives again with another number, or has shut down and is preserved.</summary>
    private async Task WaitAsync(Xend.XendClient client, Domain domain, ShutdownDomainRequest.Types.Kind kind)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.Stop);
        Task ended = client.WaitDomainAsync(new WaitDomainRequest { Handle = domain.Handle }, cancellationToken: over.Token).ResponseAsync;
        Task restarted = RestartAsync(client, domain, over.Token);
        Task first;
        string? said = null;
        while (said is null)
        {
            first = await Task.WhenAny(ended, restarted, Task.Delay(AskAgain, over.Token)).ConfigureAwait(false);
            await first.ConfigureAwait(false);
            said = first == ended ? "terminated" : first == restarted ? "restarted" : await AskAgainAsync(client, domain, kind).ConfigureAwait(false);
        }

        context.Out.WriteLine($"Domain {domain.Name} {said}");
        await over.CancelAsync().ConfigureAwait(false);
    }

    /// <summary>Asks once more, unless there is nobody to be asked.</summary>
    /// <returns>What has become of it; null: it is to be waited for.</returns>
    private static async Task<string?> AskAgainAsync(Xend.XendClient client, Domain domain, ShutdownDomainRequest.Types.Kind kind)
    {
        Domain? now = await FindAsync(client, domain, CancellationToken.None).ConfigureAwait(false);
        if (now is null || now.Id != domain.Id)
            return null;
        if (now.StateText is "shutdown" or "crashed")
            return "has shut down and is preserved";
        try
        {
            if (kind != ShutdownDomainRequest.Types.Kind.Reboot)
                await client.ShutdownDomainAsync(new ShutdownDomainRequest { Domain = now.Id.ToString(CultureInfo.InvariantCulture), Kind = kind }).ConfigureAwait(false);
        }
        catch (RpcException e) when (IsRefusal(e))
        {
            // It has just ended, or is about to.
        }

        return null;
    }

    /// <summary>Completes when it lives with another number.</summary>
    private static async Task RestartAsync(Xend.XendClient client, Domain domain, CancellationToken stop)
    {
        using AsyncServerStreamingCall<DomainEvent> events = client.WatchDomains(new WatchDomainsRequest(), cancellationToken: stop);
        await events.ResponseHeadersAsync.ConfigureAwait(false);

        // It may have restarted before we listened.
        while (await FindAsync(client, domain, stop).ConfigureAwait(false) is not { } now || now.Id == domain.Id)
        {
            do
            {
                if (!await events.ResponseStream.MoveNext(stop).ConfigureAwait(false))
                    throw new RpcException(new Status(StatusCode.Unavailable, "xend is stopping."));
            }
            while (events.ResponseStream.Current.Handle != domain.Handle);
        }
    }

    /// <summary>The domain, whatever its number is now; null: it has ended.</summary>
    private static async Task<Domain?> FindAsync(Xend.XendClient client, Domain domain, CancellationToken stop) =>
        (await client.ListDomainsAsync(new ListDomainsRequest(), cancellationToken: stop).ConfigureAwait(false)).Domains.FirstOrDefault(d => d.Handle == domain.Handle && d.Id != 0);
}
