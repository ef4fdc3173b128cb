using System.CommandLine;
using System.Globalization;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary><c>xm create</c>: has xend build a domain from a configuration file and start it.</summary>
internal sealed class CreateCommand(XmContext context)
{
    private readonly Argument<string> _file = new("FILE") { Description = "The configuration file; xmdomain.cfg(5) says what it may contain." };

    private readonly Argument<string[]> _overrides = new("KEY=VALUE")
    {
        Description = "Set a key, whatever the file says: memory=512 vcpus=2",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<bool> _console = new("--console_autoconnect", "-c") { Description = "Connect to the domain's console; Ctrl-] leaves it." };
    private readonly Option<bool> _paused = new("--paused", "-p") { Description = "Leave the domain paused; xm unpause starts it." };
    private readonly Option<bool> _dryRun = new("--dryrun", "-n") { Description = "Only print what would be created." };
    private readonly Option<bool> _quiet = new("--quiet", "-q") { Description = "Say nothing unless something fails." };

    private readonly Option<bool> _engineCheck = new("--engine-check")
    {
        Description = "Execute everything by both CPU engines and stop at the first difference; very slow, for one vCPU.",
    };

    public Command Build()
    {
        Command command = new("create", "Create a domain from a configuration file and start it.")
        {
            _file, _overrides, _console, _paused, _dryRun, _quiet, _engineCheck,
        };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed)
    {
        CreateDomainRequest request = await ReadAsync(parsed).ConfigureAwait(false);
        using SignalWatch signals = new(context.Stop);
        return await new ServiceCalls(context).UseAsync(start: true, client => CreateAsync(client, request, parsed, signals)).ConfigureAwait(false);
    }

    private async Task<int> CreateAsync(Xend.XendClient client, CreateDomainRequest request, ParseResult parsed, SignalWatch signals)
    {
        bool quiet = parsed.GetValue(_quiet);
        CreateDomainReply reply;
        try
        {
            reply = await client.CreateDomainAsync(request, cancellationToken: signals.Token).ConfigureAwait(false);
        }
        catch (Grpc.Core.RpcException) when (signals.Token.IsCancellationRequested)
        {
            context.Say("interrupted; no domain has been created.");
            return signals.ExitStatus;
        }

        foreach (string warning in quiet ? [] : reply.Warnings)
            context.Say("warning: " + warning);
        if (request.DryRun)
        {
            await context.Out.WriteAsync(reply.Sxp).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        bool console = parsed.GetValue(_console);
        if (!quiet)
            (console ? context.Error : context.Out).WriteLine(string.Create(CultureInfo.InvariantCulture, $"Started domain {reply.Domain.Name} (id={reply.Domain.Id})"));
        return console ? await AttendAsync(client, reply.Domain, start: !parsed.GetValue(_paused), quiet, signals).ConfigureAwait(false) : ExitCode.Ok;
    }

    /// <summary>Stays at the domain's console until it ends or the person leaves.</summary>
    private async Task<int> AttendAsync(Xend.XendClient client, Domain domain, bool start, bool quiet, SignalWatch signals)
    {
        string id = domain.Id.ToString(CultureInfo.InvariantCulture);
        using RemoteConsole console = await RemoteConsole.OpenAsync(client, id, number: 0).ConfigureAwait(false);
        console.Lost += count => context.Say(string.Create(CultureInfo.InvariantCulture, $"{count} bytes of the console were lost here: they came faster than they were read."));
        ConsoleEnd end = await new ConsoleSession(context, console).RunAsync(
            async () =>
            {
                if (start)
                    await client.UnpauseDomainAsync(new DomainRequest { Domain = id }).ConfigureAwait(false);
            },
            signals.Token).ConfigureAwait(false);
        switch (end)
        {
            case ConsoleEnd.Left:
                if (!quiet)
                    context.Say($"left the console; domain '{domain.Name}' runs on.");
                return ExitCode.Ok;
            case ConsoleEnd.HungUp:
                context.Say($"the console's reader went away; domain '{domain.Name}' runs on: xm destroy {domain.Name} ends it.");
                return ExitCode.Failed;
            case ConsoleEnd.Stopped:
                context.Say($"interrupted; domain '{domain.Name}' runs on: xm destroy {domain.Name} ends it.");
                return signals.ExitStatus;
            default:
                return Report(domain.Name, await client.WaitDomainAsync(new WaitDomainRequest { Handle = domain.Handle }).ConfigureAwait(false));
        }
    }

    private int Report(string name, DomainOutcome outcome)
    {
        if (outcome.Destroyed)
        {
            context.Say($"domain '{name}' was destroyed.");
            return ExitCode.Failed;
        }

        if (outcome.Reason is not (DomainOutcome.Types.Reason.Crash or DomainOutcome.Types.Reason.Watchdog))
            return ExitCode.Ok;
        string what = outcome.Reason == DomainOutcome.Types.Reason.Crash ? "crashed" : "was ended by its watchdog";
        context.Say($"domain '{name}' {what}; xm dmesg prints the hypervisor's log ({context.Paths.HypervisorLog}).");
        if (outcome.Report.Length > 0)
            context.Error.WriteLine(outcome.Report.TrimEnd('\n'));
        return ExitCode.Failed;
    }

    private async Task<CreateDomainRequest> ReadAsync(ParseResult parsed)
    {
        string path = ConfigFiles.Locate(context.Paths, parsed.GetRequiredValue(_file));
        string[] overrides = parsed.GetValue(_overrides) ?? [];
        foreach (string text in overrides)
        {
            if (text.StartsWith('-'))
                throw new UsageException($"'{text}' is no option of this verb; xm help create lists them.");
            if (text.IndexOf('=', StringComparison.Ordinal) <= 0)
                throw new UsageException($"'{text}' is not KEY=VALUE, as in memory=512.");
        }

        var request = new CreateDomainRequest
        {
            Config = await ConfigFiles.ReadAsync(path).ConfigureAwait(false),
            Source = path,
            WorkingFolder = Environment.CurrentDirectory,

            // With a console the domain starts when somebody looks at it.
            StartPaused = parsed.GetValue(_paused) || parsed.GetValue(_console),
            DryRun = parsed.GetValue(_dryRun),
            Overrides = { overrides },
        };
        if (parsed.GetValue(_engineCheck))
            request.Overrides.Add("cpu_engine=lockstep");
        return request;
    }
}
