using System.CommandLine;
using System.Text.Json;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>The verbs about the host, its hypervisor and xend.</summary>
internal sealed class HostCommands(XmContext context)
{
    private readonly ServiceCalls _xend = new(context);

    public IEnumerable<Command> Build()
    {
        yield return BuildInfo();
        yield return BuildDmesg();
        yield return BuildLog();
        yield return BuildDebugKeys();
    }

    private Command BuildInfo()
    {
        Option<bool> json = new("--json") { Description = "Print JSON." };
        Command command = new("info", "Print what this host and its Xen are.") { json };
        command.SetAction(async (parsed, _) =>
        {
            HostInfo info = await _xend.UseAsync(start: true, async client => await client.GetInfoAsync(new GetInfoRequest())).ConfigureAwait(false);
            IEnumerable<(string Key, string Value)> facts = HostFacts.Read(info, context.Remote?.Address.Host);
            if (parsed.GetValue(json))
            {
                await context.Out.WriteLineAsync(JsonSerializer.Serialize(facts.ToDictionary(static fact => fact.Key, static fact => fact.Value), Rows.Default.DictionaryStringString))
                    .ConfigureAwait(false);
                return ExitCode.Ok;
            }

            foreach ((string key, string value) in facts)
                await context.Out.WriteLineAsync($"{key,-22} : {value}").ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildDmesg()
    {
        Option<bool> clear = new("--clear", "-c") { Description = "Also empty the log." };
        Command command = new("dmesg", "Print the hypervisor's log; where no xend runs, what the last one left.") { clear };
        command.SetAction(async (parsed, _) =>
        {
            var request = new ReadLogRequest { Clear = parsed.GetValue(clear) };
            TextReply? reply = await _xend.TryAskAsync(client => client.ReadLogAsync(request)).ConfigureAwait(false);
            await PrintAsync(reply?.Text ?? await ReadFileAsync(context.Paths.HypervisorLog, "the hypervisor", request.Clear).ConfigureAwait(false)).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildLog()
    {
        Command command = new("log", "Print xend's own log.");
        command.SetAction(async (_, _) =>
        {
            if (context.Remote is { } remote)
                throw new XmException($"xend's own log is read where xend runs, by xm log or in its folder; xm dmesg prints the hypervisor's of {remote.Address}.");
            await PrintAsync(await ReadFileAsync(context.Paths.ServiceLog, "xend", clear: false).ConfigureAwait(false)).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildDebugKeys()
    {
        Argument<string> keys = new("KEYS") { Description = "One or more keys: q prints the domains and their counters, h lists the keys." };
        Command command = new("debug-keys", "Send debug keys to the hypervisor and print what it answers.") { keys };
        command.SetAction(async (parsed, _) =>
        {
            var request = new DebugKeysRequest { Keys = parsed.GetRequiredValue(keys) };
            await PrintAsync((await _xend.AskAsync(client => client.SendDebugKeysAsync(request)).ConfigureAwait(false)).Text).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Task PrintAsync(string text) => context.Out.WriteAsync(text.Length == 0 || text.EndsWith('\n') ? text : text + "\n");

    private static async Task<string> ReadFileAsync(string path, string whose, bool clear)
    {
        try
        {
            string text = await File.ReadAllTextAsync(path).ConfigureAwait(false);
            if (clear)
                await File.WriteAllTextAsync(path, "").ConfigureAwait(false);
            return text;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new XmException($"{whose} has left no log in {Path.GetDirectoryName(path)} yet: start a domain with xm create.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new XmException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
