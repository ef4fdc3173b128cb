using System.CommandLine;
using System.Globalization;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>The verbs about domains that run already, in whichever process.</summary>
internal sealed class DomainCommands(XmContext context)
{
    private readonly ControlClient _client = new(context.Paths);

    public IEnumerable<Command> Build()
    {
        yield return BuildList();
        yield return BuildRequest("destroy", "End a domain at once.", "destroy");
        yield return BuildRequest("pause", "Stop a domain's vCPUs.", "pause");
        yield return BuildRequest("unpause", "Let a paused domain go on.", "unpause");
        yield return BuildLookup("domid", "Print the number of a domain.", d => d.Id.ToString(CultureInfo.InvariantCulture));
        yield return BuildLookup("domname", "Print the name of a domain.", d => d.Name);
        yield return BuildDebugKeys();
    }

    private static Argument<string> Domain() => new("DOMAIN") { Description = "Its name or number." };

    private Command BuildList()
    {
        Argument<string[]> names = new("DOMAIN") { Description = "Only these.", Arity = ArgumentArity.ZeroOrMore };
        Command command = new("list", "List the domains that are running.") { names };
        command.SetAction(async (parsed, _) =>
        {
            string[] wanted = parsed.GetValue(names) ?? [];
            List<DomainLine> lines = [];
            if (wanted.Length == 0)
                lines.AddRange(await _client.ListAsync().ConfigureAwait(false));
            foreach (string name in wanted)
                lines.Add(await _client.FindAsync(name).ConfigureAwait(false));
            PrintList(lines);
            return ExitCode.Ok;
        });
        return command;
    }

    private void PrintList(IEnumerable<DomainLine> lines)
    {
        context.Out.WriteLine($"{"Name",-40} {"ID",5} {"Mem",5} {"VCPUs",5} {"State",10} {"Time(s)",8}");
        foreach (DomainLine d in lines)
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{d.Name,-40} {d.Id,5} {d.MemoryMiB,5} {d.Vcpus,5} {d.State,10} {d.Seconds,8:F1}"));
    }

    private Command BuildRequest(string verb, string description, string request)
    {
        Argument<string> name = Domain();
        Command command = new(verb, description) { name };
        command.SetAction(async (parsed, _) =>
        {
            DomainLine domain = await _client.FindAsync(parsed.GetRequiredValue(name)).ConfigureAwait(false);
            await ControlClient.AskAsync(domain, request).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildLookup(string verb, string description, Func<DomainLine, string> show)
    {
        Argument<string> name = Domain();
        Command command = new(verb, description) { name };
        command.SetAction(async (parsed, _) =>
        {
            context.Out.WriteLine(show(await _client.FindAsync(parsed.GetRequiredValue(name)).ConfigureAwait(false)));
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildDebugKeys()
    {
        Argument<string> keys = new("KEYS") { Description = "One or more keys: q prints the domains and their counters, h lists the keys." };
        Argument<string?> name = new("DOMAIN") { Description = "The domain whose machine is asked; all machines without it.", Arity = ArgumentArity.ZeroOrOne };
        Command command = new("debug-keys", "Send debug keys to the hypervisor and print what it answers.") { keys, name };
        command.SetAction(async (parsed, _) =>
        {
            foreach (DomainLine domain in await OneOrAllAsync(parsed.GetValue(name)).ConfigureAwait(false))
            {
                foreach (char key in parsed.GetRequiredValue(keys))
                    Print(await ControlClient.AskAsync(domain, $"debug-key\t{key}").ConfigureAwait(false));
            }

            return ExitCode.Ok;
        });
        return command;
    }

    private async Task<IReadOnlyList<DomainLine>> OneOrAllAsync(string? name)
    {
        if (name is not null)
            return [await _client.FindAsync(name).ConfigureAwait(false)];
        IReadOnlyList<DomainLine> all = await _client.ListAsync().ConfigureAwait(false);
        return all.Count > 0 ? all : throw new ToolstackException("no domain is running: start one with xm create.");
    }

    private void Print(string text) => context.Out.Write(text.EndsWith('\n') || text.Length == 0 ? text : text + "\n");
}
