using System.CommandLine;
using System.Globalization;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary><c>xm console</c>: connects the terminal, or a pipe, to a console of a domain that another process runs.</summary>
internal sealed class ConsoleCommand(XmContext context)
{
    private readonly ControlClient _client = new(context.Paths);
    private readonly Argument<string> _name = new("DOMAIN") { Description = "Its name or number." };

    private readonly Option<int> _number = new("--num", "-n")
    {
        Description = "The console's number: 0 is the one that a domain starts with, N is /dev/hvcN in a Linux guest.",
        DefaultValueFactory = static _ => 0,
    };

    public Command Build()
    {
        Command command = new("console", "Connect to a console of a running domain; Ctrl-] leaves it.") { _name, _number };
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(_name), parsed.GetValue(_number)));
        return command;
    }

    private async Task<int> RunAsync(string name, int number)
    {
        if (number is < 0 or >= ConsoleConfig.Most)
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"-n is the number of a console, 0 to {ConsoleConfig.Most - 1}, and is {number}."));
        DomainLine domain = await _client.FindAsync(name).ConfigureAwait(false);
        using SignalWatch signals = new(context.Stop);
        using RemoteConsole console = await ControlClient.OpenConsoleAsync(domain, number).ConfigureAwait(false);
        ConsoleEnd end = await new ConsoleSession(context, console).RunAsync(console.Ended, static () => { }, signals.Token).ConfigureAwait(false);
        return end switch
        {
            ConsoleEnd.HungUp => ExitCode.Failed,
            ConsoleEnd.Stopped => signals.ExitStatus,
            _ => ExitCode.Ok,
        };
    }
}
