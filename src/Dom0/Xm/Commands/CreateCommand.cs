using System.CommandLine;
using System.Globalization;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary><c>xm create</c>: builds a domain from a configuration file and runs it in this process until it ends.</summary>
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
        Command command = new("create", "Create a domain from a configuration file and run it until it ends.")
        {
            _file, _overrides, _console, _paused, _dryRun, _quiet, _engineCheck,
        };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed)
    {
        bool quiet = parsed.GetValue(_quiet), console = parsed.GetValue(_console);
        string[] overrides = parsed.GetValue(_overrides) ?? [];
        if (parsed.GetValue(_engineCheck))
            overrides = [.. overrides, "cpu_engine=" + DomainConfig.CheckingCpuEngine];
        DomainConfig config = ReadConfig(parsed.GetRequiredValue(_file), overrides, quiet);
        if (parsed.GetValue(_dryRun))
        {
            await context.Out.WriteAsync(DomainConfigSxp.Write(config)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        using SignalWatch signals = new(context.Stop);
        EmbeddedMachine machine = await EmbeddedMachine.StartAsync(context, config).ConfigureAwait(false);
        await using (machine.ConfigureAwait(false))
        {
            IRunningDomain domain = machine.Domain;
            if (!quiet)
                Announce(domain, console);
            ConsoleEnd end = await WatchAsync(domain, console, parsed.GetValue(_paused), signals.Token).ConfigureAwait(false);
            return await FinishAsync(domain, end, quiet, signals).ConfigureAwait(false);
        }
    }

    private DomainConfig ReadConfig(string path, string[] overrides, bool quiet)
    {
        foreach (string text in overrides)
        {
            if (text.StartsWith('-'))
                throw new UsageException($"'{text}' is no option of this verb; xm help create lists them.");
            if (text.IndexOf('=', StringComparison.Ordinal) <= 0)
                throw new UsageException($"'{text}' is not KEY=VALUE, as in memory=512.");
        }

        ConfigFile file = ConfigFile.Load(Locate(path), overrides);
        DomainConfig config = DomainConfigReader.Read(file);
        foreach (string warning in quiet ? [] : file.Warnings)
            context.Say("warning: " + warning);
        return config;
    }

    private string Locate(string path)
    {
        if (File.Exists(path) || Path.IsPathRooted(path))
            return path;
        return context.Paths.ConfigFolders.Select(folder => Path.Combine(folder, path)).FirstOrDefault(File.Exists) ?? path;
    }

    private void Announce(IRunningDomain domain, bool console)
    {
        string started = string.Create(CultureInfo.InvariantCulture, $"Started domain {domain.Config.Name} (id={domain.Id})");
        // With a console, standard output is the guest's.
        if (console)
            context.Error.WriteLine(started);
        else
            context.Out.WriteLine(started + "; it runs inside this command, until it ends or Ctrl-C is typed.");
    }

    private async Task<ConsoleEnd> WatchAsync(IRunningDomain domain, bool console, bool paused, CancellationToken stop)
    {
        void Start()
        {
            if (!paused)
                domain.Unpause();
        }

        using IDisposable? hold = console ? domain.Console.TryTake() : null;
        if (console)
            return await new ConsoleSession(context, domain.Console).RunAsync(domain.Completion, Start, stop).ConfigureAwait(false);
        Start();
        Task first = await Task.WhenAny(domain.Completion, Task.Delay(Timeout.Infinite, stop)).ConfigureAwait(false);
        return first == domain.Completion ? ConsoleEnd.DomainEnded : ConsoleEnd.Stopped;
    }

    private async Task<int> FinishAsync(IRunningDomain domain, ConsoleEnd end, bool quiet, SignalWatch signals)
    {
        string name = domain.Config.Name;
        if (end != ConsoleEnd.DomainEnded)
        {
            domain.Destroy();
            await domain.Completion.ConfigureAwait(false);
        }

        switch (end)
        {
            case ConsoleEnd.Left:
                if (!quiet)
                    context.Say($"left the console; domain '{name}' ran inside this command and has ended with it.");
                return ExitCode.Ok;
            case ConsoleEnd.HungUp:
                context.Say($"the console's reader went away; domain '{name}' has been destroyed.");
                return ExitCode.Failed;
            case ConsoleEnd.Stopped:
                context.Say($"interrupted; domain '{name}' has been destroyed.");
                return signals.ExitStatus;
            default:
                return Report(name, await domain.Completion.ConfigureAwait(false));
        }
    }

    private int Report(string name, DomainOutcome outcome)
    {
        if (outcome.Destroyed)
        {
            context.Say($"domain '{name}' was destroyed.");
            return ExitCode.Failed;
        }

        if (outcome.Reason is not (ShutdownReason.Crash or ShutdownReason.Watchdog))
            return ExitCode.Ok;
        string what = outcome.Reason == ShutdownReason.Crash ? "crashed" : "was ended by its watchdog";
        context.Say($"domain '{name}' {what}; xm dmesg {name} prints the hypervisor's log ({context.Paths.HypervisorLogOf(name)}).");
        if (outcome.Report.Length > 0)
            context.Error.WriteLine(outcome.Report.TrimEnd('\n'));
        return ExitCode.Failed;
    }
}
