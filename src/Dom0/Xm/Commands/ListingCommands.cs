using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>The verbs that list domains in other ways than <c>xm list</c>.</summary>
internal sealed class ListingCommands(XmContext context)
{
    private readonly ServiceCalls _xend = new(context);

    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON." };

    public IEnumerable<Command> Build()
    {
        yield return BuildVcpuList();
        yield return BuildUptime();
        yield return BuildDomState();
        yield return BuildSchedCredit();
    }

    private static Argument<string[]> Domains() => new("DOMAIN") { Description = "Only these.", Arity = ArgumentArity.ZeroOrMore };

    private Command BuildVcpuList()
    {
        Argument<string[]> names = Domains();
        Command command = new("vcpu-list", "List the vCPUs of domains.") { names, Json };
        command.SetAction(async (parsed, _) =>
        {
            var request = new ListDomainsRequest { Domains = { parsed.GetValue(names) ?? [] } };
            ListVcpusReply reply = await _xend.AskAsync(client => client.ListVcpusAsync(request)).ConfigureAwait(false);
            VcpuRow[] rows = [.. reply.Domains.SelectMany(static domain => domain.Vcpus.Select(vcpu => VcpuRow.Of(domain, vcpu)))];
            if (!await PrintJsonAsync(parsed, rows, Rows.Default.VcpuRowArray).ConfigureAwait(false))
                Print(rows);
            return ExitCode.Ok;
        });
        return command;
    }

    private void Print(VcpuRow[] rows)
    {
        context.Out.WriteLine($"{"Name",-32} {"ID",5} {"VCPU",5} {"CPU",5} {"State",5} {"Time(s)",9} CPU Affinity");
        foreach (VcpuRow row in rows)
        {
            string cpu = row.Cpu?.ToString(CultureInfo.InvariantCulture) ?? "-", affinity = row.Affinity is null ? "any cpu" : string.Join(',', row.Affinity);
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Name,-32} {row.Id,5} {row.Vcpu,5} {cpu,5} {row.State,5} {row.Seconds,9:F1} {affinity}"));
        }
    }

    private Command BuildUptime()
    {
        Argument<string[]> names = Domains();
        Option<bool> brief = new("--short", "-s") { Description = "A line each, as uptime(1) has it." };
        Command command = new("uptime", "Print how long domains have been up.") { names, brief, Json };
        command.SetAction(async (parsed, _) =>
        {
            DateTimeOffset now = DateTimeOffset.UtcNow;
            UptimeRow[] rows = [.. (await ListAsync(parsed.GetValue(names) ?? []).ConfigureAwait(false)).Select(d => UptimeRow.Of(d, now))];
            if (await PrintJsonAsync(parsed, rows, Rows.Default.UptimeRowArray).ConfigureAwait(false))
                return ExitCode.Ok;
            bool isBrief = parsed.GetValue(brief);
            if (!isBrief)
                context.Out.WriteLine($"{"Name",-33} {"ID",3} Uptime");
            foreach (UptimeRow row in rows)
            {
                string up = Describe(TimeSpan.FromSeconds(row.Seconds));
                context.Out.WriteLine(isBrief
                    ? string.Create(CultureInfo.InvariantCulture, $" {now.LocalDateTime:HH:mm:ss} up {up}, {row.Name} ({row.Id})")
                    : string.Create(CultureInfo.InvariantCulture, $"{row.Name,-33} {row.Id,3} {up}"));
            }

            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>As xm has it: <c>3 days, 4:05:06</c>.</summary>
    private static string Describe(TimeSpan time)
    {
        string clock = string.Create(CultureInfo.InvariantCulture, $"{time.Hours,2}:{time.Minutes:00}:{time.Seconds:00}");
        return time.Days switch
        {
            0 => clock,
            1 => "1 day, " + clock,
            _ => string.Create(CultureInfo.InvariantCulture, $"{time.Days} days, {clock}"),
        };
    }

    private Command BuildDomState()
    {
        Argument<string> name = new("DOMAIN") { Description = "Its name or number." };
        Command command = new("domstate", "Print the state of a domain in a word.") { name };
        command.SetAction(async (parsed, _) =>
        {
            await context.Out.WriteLineAsync((await _xend.ListAsync([parsed.GetRequiredValue(name)], withInactive: true).ConfigureAwait(false))[0].StateText).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildSchedCredit()
    {
        Option<string?> name = new("--domain", "-d") { Description = "The domain; without it all are listed." };
        Option<int?> weight = new("--weight", "-w") { Description = "Its weight beside the others': 1 to 65535." };
        Option<int?> cap = new("--cap", "-c") { Description = "The most it gets, in percent of one processor; 0 for no limit." };
        Command command = new("sched-credit", "Get or set a domain's share of the processors.") { name, weight, cap, Json };
        command.SetAction(async (parsed, _) =>
        {
            string? domain = parsed.GetValue(name);
            if (parsed.GetValue(weight) is null && parsed.GetValue(cap) is null)
            {
                ShareRow[] rows = [.. (await ListAsync(domain is null ? [] : [domain]).ConfigureAwait(false)).Select(ShareRow.Of)];
                if (!await PrintJsonAsync(parsed, rows, Rows.Default.ShareRowArray).ConfigureAwait(false))
                    Print(rows);
                return ExitCode.Ok;
            }

            var request = new SetShareRequest { Domain = domain ?? throw new UsageException("-d names the domain whose share is to be set.") };
            if (parsed.GetValue(weight) is { } newWeight)
                request.Weight = newWeight;
            if (parsed.GetValue(cap) is { } newCap)
                request.Cap = newCap;
            await _xend.AskAsync(client => client.SetShareAsync(request)).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private void Print(ShareRow[] rows)
    {
        context.Out.WriteLine($"{"Name",-33} {"ID",4} {"Weight",6} {"Cap",4}");
        foreach (ShareRow row in rows)
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Name,-33} {row.Id,4} {row.Weight,6} {row.Cap,4}"));
    }

    private async Task<IReadOnlyList<Domain>> ListAsync(string[] names)
    {
        var request = new ListDomainsRequest { Domains = { names } };
        return (await _xend.AskAsync(client => client.ListDomainsAsync(request)).ConfigureAwait(false)).Domains;
    }

    private async Task<bool> PrintJsonAsync<TRow>(ParseResult parsed, TRow[] rows, JsonTypeInfo<TRow[]> type)
    {
        if (!parsed.GetValue(Json))
            return false;
        await context.Out.WriteLineAsync(JsonSerializer.Serialize(rows, type)).ConfigureAwait(false);
        return true;
    }
}
