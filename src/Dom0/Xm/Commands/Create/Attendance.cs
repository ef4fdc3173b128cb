using System.Globalization;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>Staying at the console of a domain that was just made (<c>create -c</c>, <c>start -c</c>), and saying how it ended.</summary>
internal sealed class Attendance(XmContext context, Xend.XendClient client, SignalWatch signals)
{
    /// <summary>Stays until the domain ends or the person leaves.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="start">Starts it, when somebody looks at it.</param>
    /// <param name="quiet">Says only what went wrong.</param>
    /// <returns>The exit status.</returns>
    public async Task<int> AttendAsync(Domain domain, bool start, bool quiet)
    {
        string id = domain.Id.ToString(CultureInfo.InvariantCulture);
        using RemoteConsole console = await OpenAsync(domain, id).ConfigureAwait(false);
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

    private async Task<RemoteConsole> OpenAsync(Domain domain, string id)
    {
        try
        {
            return await RemoteConsole.OpenAsync(client, id, number: 0).ConfigureAwait(false);
        }
        catch (Grpc.Core.RpcException)
        {
            context.Say($"domain '{domain.Name}' is there and paused: xm unpause {domain.Name} starts it, xm destroy {domain.Name} ends it.");
            throw;
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
        context.Say($"domain '{name}' {what}; xm dmesg prints the hypervisor's log{(context.Remote is null ? $" ({context.Paths.HypervisorLog})" : "")}.");
        if (outcome.Report.Length > 0)
            context.Error.WriteLine(outcome.Report.TrimEnd('\n'));
        return ExitCode.Failed;
    }
}
