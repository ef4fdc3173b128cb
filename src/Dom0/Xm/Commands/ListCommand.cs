using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary><c>xm list</c>.</summary>
internal sealed class ListCommand(XmContext context)
{
    /// <summary>What <c>--state</c> selects: xm's names, each for some of the words that <c>xm domstate</c> prints.</summary>
    private static readonly Dictionary<string, string[]?> States = new(StringComparer.Ordinal)
    {
        ["all"] = null,
        ["running"] = ["running", "idle", "no state"],
        ["paused"] = ["paused"],
        ["halted"] = ["shutoff"],
        ["shutdown"] = ["shutdown"],
        ["crashed"] = ["crashed"],
        ["dying"] = ["dying"],
    };

    private readonly ServiceCalls _xend = new(context);
    private readonly Argument<string[]> _names = new("DOMAIN") { Description = "Only these.", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<bool> _long = new("--long", "-l") { Description = "Print all about them, as S-expressions." };
    private readonly Option<string?> _state = new("--state") { Description = "Only those that are " + string.Join(", ", States.Keys) + ".", HelpName = "STATE" };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    public Command Build()
    {
        Command command = new("list", "List the domains: those that run, and managed ones that do not.") { _names, _long, _state, _json };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed)
    {
        IReadOnlyList<Domain> domains = await SelectAsync(parsed).ConfigureAwait(false);
        if (parsed.GetValue(_json))
            await context.Out.WriteLineAsync(JsonSerializer.Serialize([.. domains.Select(DomainRow.Of)], Rows.Default.DomainRowArray)).ConfigureAwait(false);
        else if (parsed.GetValue(_long))
            await context.Out.WriteAsync(await DescribeAsync(domains).ConfigureAwait(false)).ConfigureAwait(false);
        else
            Print(domains);
        return ExitCode.Ok;
    }

    private async Task<IReadOnlyList<Domain>> SelectAsync(ParseResult parsed)
    {
        string state = parsed.GetValue(_state) ?? "all";
        if (!States.TryGetValue(state, out string[]? words))
            throw new UsageException($"'{state}' is no state: {string.Join(", ", States.Keys)} are.");
        IReadOnlyList<Domain> all = await _xend.ListAsync(parsed.GetValue(_names) ?? [], withInactive: true).ConfigureAwait(false);
        return words is null ? all : [.. all.Where(domain => words.Contains(domain.StateText))];
    }

    private async Task<string> DescribeAsync(IReadOnlyList<Domain> domains)
    {
        if (domains.Count == 0)
            return "";
        var request = new ListDomainsRequest { WithInactive = true, Domains = { domains.Select(static domain => domain.Name) } };
        return (await _xend.AskAsync(client => client.DescribeDomainsAsync(request)).ConfigureAwait(false)).Text;
    }

    private void Print(IEnumerable<Domain> domains)
    {
        context.Out.WriteLine($"{"Name",-40} {"ID",5} {"Mem",5} {"VCPUs",5} {"State",10} {"Time(s)",8}");
        foreach (Domain d in domains)
        {
            string id = d.Id < 0 ? "" : d.Id.ToString(CultureInfo.InvariantCulture);
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{d.Name,-40} {id,5} {d.MemoryMib,5} {d.OnlineVcpus,5} {d.State,10} {d.CpuSeconds,8:F1}"));
        }
    }
}
