using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>The verbs about domains that run already.</summary>
internal sealed class DomainCommands(XmContext context)
{
    private readonly ServiceCalls _xend = new(context);

    public IEnumerable<Command> Build()
    {
        yield return BuildRequest("destroy", "End a domain at once.", static (client, domain) => client.DestroyDomainAsync(domain));
        yield return BuildRequest("pause", "Stop a domain's vCPUs.", static (client, domain) => client.PauseDomainAsync(domain));
        yield return BuildRequest("unpause", "Let a paused domain go on.", static (client, domain) => client.UnpauseDomainAsync(domain));
        yield return BuildLookup("domid", "Print the number of a domain.", static d => d.Id.ToString(CultureInfo.InvariantCulture));
        yield return BuildLookup("domname", "Print the name of a domain.", static d => d.Name);
    }

    private static Argument<string> Domain() => new("DOMAIN") { Description = "Its name or number." };

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
            IReadOnlyList<Domain> found = await _xend.ListAsync([parsed.GetRequiredValue(name)], withInactive: false).ConfigureAwait(false);
            await context.Out.WriteLineAsync(show(found[0])).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }
}
