using System.CommandLine;
using System.Globalization;

namespace Xen.Xm;

/// <summary><c>xm console</c>: connects the terminal, or a pipe, to a console of a domain.</summary>
internal sealed class ConsoleCommand(XmContext context)
{
    /// <summary>Consoles that a domain may have.</summary>
    private const int Most = 8;

    private readonly Argument<string> _name = new("DOMAIN") { Description = "Its name or number." };

    private readonly Option<int> _number = new("--num", "-n")
    {
        Description = "The console's number: 0 is the one that a domain starts with, N is /dev/hvcN in a Linux guest.",
        DefaultValueFactory = static _ => 0,
    };

    private readonly Option<bool> _readOnly = new("--read-only", "-r") { Description = "Only look: what is typed is not sent, and Ctrl-] leaves as ever." };

    public Command Build()
    {
        Command command = new("console", "Connect to a console of a running domain; Ctrl-] leaves it.") { _name, _number, _readOnly };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(_name), parsed.GetValue(_number), parsed.GetValue(_readOnly)));
        return command;
    }

    private Task<int> RunAsync(string name, int number, bool readOnly)
    {
        if (number is < 0 or >= Most)
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"-n is the number of a console, 0 to {Most - 1}, and is {number}."));
        return new ServiceCalls(context).UseAsync(start: false, async client =>
        {
            using SignalWatch signals = new(context.Stop);
            using RemoteConsole console = await RemoteConsole.OpenAsync(client, name, number).ConfigureAwait(false);
            console.IsReadOnly = readOnly;
            console.Lost += count => context.Say(string.Create(CultureInfo.InvariantCulture, $"{count} bytes of the console were lost here: they came faster than they were read."));
            ConsoleEnd end = await new ConsoleSession(context, console).RunAsync(static () => Task.CompletedTask, signals.Token).ConfigureAwait(false);
            return end switch
            {
                ConsoleEnd.HungUp => ExitCode.Failed,
                ConsoleEnd.Stopped => signals.ExitStatus,
                _ => ExitCode.Ok,
            };
        });
    }
}
