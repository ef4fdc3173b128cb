using System.CommandLine;
using System.CommandLine.Invocation;

namespace Xen.Xm;

/// <summary>
/// The command line: finds the verb, runs it, and turns whatever happens into a sentence and an exit status. Any unique beginning of
/// a verb is the verb.
/// </summary>
internal sealed class XmCommandLine
{
    private readonly XmContext _context;
    private readonly RootCommand _root;
    private readonly RemoteOptions _remote;
    private readonly ParserConfiguration _parsing = new() { ResponseFileTokenReplacer = null };

    public XmCommandLine(XmContext context)
    {
        _context = context;
        _root = new RootCommand("Create and manage Xen domains.")
        {
            new CreateCommand(context).Build(), new ConsoleCommand(context).Build(), new ListCommand(context).Build(), new TopCommand(context).Build(),
        };
        foreach (Command command in (IEnumerable<Command>)
        [
            .. new ManagedCommands(context).Build(), .. new DomainCommands(context).Build(), .. new ShutdownCommands(context).Build(), .. new ControlCommands(context).Build(),
            .. new ListingCommands(context).Build(), .. new DeviceCommands(context).Build(), .. new HostCommands(context).Build(),
            new CertCommand(context).Build(),
        ])
        {
            _root.Add(command);
        }

        _root.Add(BuildHelp());
        _remote = new RemoteOptions(_root);
    }

    /// <summary>Runs one command.</summary>
    /// <returns>The process's exit status.</returns>
    public async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        try
        {
            if (arguments.Count == 0)
                return await HelpAfterAsync("which verb?").ConfigureAwait(false);
            return await InvokeAsync(ResolveVerb(arguments)).ConfigureAwait(false);
        }
        catch (UnknownVerbException e)
        {
            return await HelpAfterAsync(e.Message).ConfigureAwait(false);
        }
        catch (UsageException e)
        {
            _context.Say(e.Message);
            return ExitCode.Usage;
        }
        catch (XmException e)
        {
            _context.Say(e.Message);
            return ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        catch (IOException e)
        {
            // Whoever read our output went away (xm list | head -1), or the disk is full.
            SayIfAnybodyReads(e.Message);
            return ExitCode.Failed;
        }
    }

    /// <summary>The errors may go where the output went (xm info 2&gt;&amp;1 | head -1).</summary>
    private void SayIfAnybodyReads(string message)
    {
        try
        {
            _context.Say(message);
        }
        catch (IOException)
        {
            // Nobody is left to tell.
        }
    }

    private async Task<int> InvokeAsync(IReadOnlyList<string> arguments)
    {
        ParseResult parsed = _root.Parse(arguments, _parsing);
        if (parsed.Action is ParseErrorAction)
        {
            string verb = parsed.CommandResult.Command.Name;
            throw new UsageException($"{string.Join(' ', parsed.Errors.Select(e => e.Message))} xm help {verb} says more.");
        }

        _context.Remote = _remote.Read(parsed, _context);
        return await InvokeAsync(parsed, _context.Out).ConfigureAwait(false);
    }

    private async Task<int> InvokeAsync(ParseResult parsed, TextWriter output)
    {
        // Exceptions and signals are ours to handle.
        InvocationConfiguration invocation = new()
        {
            Output = output,
            Error = _context.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        return await parsed.InvokeAsync(invocation).ConfigureAwait(false);
    }

    private async Task<int> HelpAfterAsync(string message)
    {
        _context.Say(message);
        await InvokeAsync(_root.Parse(["--help"], _parsing), _context.Error).ConfigureAwait(false);
        return ExitCode.Usage;
    }

    private IReadOnlyList<string> ResolveVerb(IReadOnlyList<string> arguments)
    {
        int at = RemoteOptions.CountBefore(arguments);
        string verb = at < arguments.Count ? OtherVerbs.NewName(arguments[at]) : "-";
        if (verb.StartsWith('-'))
            return arguments;
        string[] verbs = [.. _root.Subcommands.Select(c => c.Name)];
        string[] candidates = verbs.Contains(verb) ? [verb] : [.. verbs.Where(v => v.StartsWith(verb, StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        return candidates.Length switch
        {
            1 => [.. arguments.Take(at), candidates[0], .. arguments.Skip(at + 1)],
            0 when OtherVerbs.WhyNot(verb) is { } reason => throw new UsageException($"there is no xm {verb} here: {reason}"),
            0 => throw new UnknownVerbException($"'{verb}' is no verb of xm."),
            _ => throw new UnknownVerbException($"'{verb}' may mean {string.Join(", ", candidates)}."),
        };
    }

    private Command BuildHelp()
    {
        Argument<string?> verb = new("VERB") { Description = "The verb to explain.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> full = new("--long") { Description = "As in Xen's xm; the help is always the long one.", Hidden = true };
        Command command = new("help", "Explain xm, or one of its verbs.") { verb, full };
        command.SetAction(async (parsed, _) =>
        {
            IReadOnlyList<string> asked = parsed.GetValue(verb) is { } name ? ResolveVerb([name, "--help"]) : ["--help"];
            return await InvokeAsync(_root.Parse(asked, _parsing), _context.Out).ConfigureAwait(false);
        });
        return command;
    }

    private sealed class UnknownVerbException(string message) : Exception(message);
}
