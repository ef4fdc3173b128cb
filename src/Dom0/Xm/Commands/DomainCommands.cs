using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>The verbs about domains that run already.</summary>
internal sealed class DomainCommands(XmContext context)
{
    private readonly ServiceCalls _xend = new(context);

    public IEnumerable<Command> Build()
    {
        yield return BuildList();
        yield return BuildRequest("destroy", "End a domain at once.", static (client, domain) => client.DestroyDomainAsync(domain));
        yield return BuildRequest("pause", "Stop a domain's vCPUs.", static (client, domain) => client.PauseDomainAsync(domain));
        yield return BuildRequest("unpause", "Let a paused domain go on.", static (client, domain) => client.UnpauseDomainAsync(domain));
        yield return BuildLookup("domid", "Print the number of a domain.", static d => d.Id.ToString(CultureInfo.InvariantCulture));
        yield return BuildLookup("domname", "Print the name of a domain.", static d => d.Name);
    }

    private static Argument<string> Domain() => new("DOMAIN") { Description = "Its name or number." };

    private Command BuildList()
    {
        Argument<string[]> names = new("DOMAIN") { Description = "Only these.", Arity = ArgumentArity.ZeroOrMore };
        Option<bool> json = new("--json") { Description = "Print JSON." };
        Command command = new("list", "List the domains that are running.") { names, json };
        command.SetAction(async (parsed, _) =>
        {
            IReadOnlyList<Domain> domains = await ListAsync(parsed.GetValue(names) ?? []).ConfigureAwait(false);
            if (parsed.GetValue(json))
                await context.Out.WriteLineAsync(JsonSerializer.Serialize([.. domains.Select(DomainRow.Of)], Rows.Default.DomainRowArray)).ConfigureAwait(false);
            else
                PrintList(domains);
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Without a xend there are no domains.</summary>
    private async Task<IReadOnlyList<Domain>> ListAsync(string[] names)
    {
        ListDomainsReply? reply = await _xend.TryAskAsync(client => client.ListDomainsAsync(new ListDomainsRequest { Domains = { names } })).ConfigureAwait(false);
        if (reply is null && names.Length > 0)
            throw new XmException($"no domain '{names[0]}' is running, and no xend: start a domain with xm create.");
        return reply?.Domains ?? [];
    }

    private void PrintList(IEnumerable<Domain> domains)
    {
        context.Out.WriteLine($"{"Name",-40} {"ID",5} {"Mem",5} {"VCPUs",5} {"State",10} {"Time(s)",8}");
        foreach (Domain d in domains)
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{d.Name,-40} {d.Id,5} {d.MemoryMib,5} {d.OnlineVcpus,5} {d.State,10} {d.CpuSeconds,8:F1}"));
    }

    private Command BuildRequest(string verb, string description, Func<Xend.XendClient, DomainRequest, AsyncUnaryCall<Done>> call)
    {
        Argument<string> name = Domain();
        Command command = new(verb, description) { name };
        command.SetAction(async (parsed, _) =>
        {
            var request = new DomainRequest { Domain = parsed.GetRequiredValue(name) };
            await _xend.AskAsync(client => call(client, request)).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildLookup(string verb, string description, Func<Domain, string> show)
    {
        Argument<string> name = Domain();
        Command command = new(verb, description) { name };
        command.SetAction(async (parsed, _) =>
        {
            IReadOnlyList<Domain> found = await ListAsync([parsed.GetRequiredValue(name)]).ConfigureAwait(false);
            await context.Out.WriteLineAsync(show(found[0])).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }
}
