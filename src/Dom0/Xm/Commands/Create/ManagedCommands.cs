using System.CommandLine;
using System.Globalization;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>Managed domains: <c>xm new</c> keeps a configuration, <c>xm start</c> starts it, as often as it takes, <c>xm delete</c> forgets it.</summary>
internal sealed class ManagedCommands(XmContext context)
{
    private readonly ServiceCalls _xend = new(context);

    public IEnumerable<Command> Build()
    {
        yield return BuildNew();
        yield return BuildStart();
        yield return BuildDelete();
    }

    private static Argument<string> Domain() => new("DOMAIN") { Description = "Its name." };

    private Command BuildNew()
    {
        ConfigOptions config = new(context, "new");
        Command command = new("new", "Keep a configuration as a managed domain, without starting it.");
        config.AddTo(command);
        command.SetAction(async (parsed, _) =>
        {
            IReadOnlyList<CreateDomainRequest> requests = await config.ReadAsync(parsed).ConfigureAwait(false);
            return await _xend.UseAsync(start: true, async client =>
            {
                foreach (CreateDomainRequest request in requests)
                {
                    CreateDomainReply reply = await client.DefineDomainAsync(request, cancellationToken: context.Stop).ConfigureAwait(false);
                    if (!await config.ReportAsync(parsed, reply).ConfigureAwait(false) && !config.IsQuiet(parsed))
                        await context.Out.WriteLineAsync($"Domain {reply.Domain.Name} is managed; xm start {reply.Domain.Name} starts it").ConfigureAwait(false);
                }

                return ExitCode.Ok;
            }, lookOnly: true).ConfigureAwait(false);
        });
        return command;
    }

    private Command BuildStart()
    {
        Argument<string> name = Domain();
        Option<bool> attend = new("--console_autoconnect", "-c") { Description = "Connect to the domain's console; Ctrl-] leaves it." };
        Option<bool> paused = new("--paused", "-p") { Description = "Leave the domain paused; xm unpause starts it." };
        Command command = new("start", "Start a managed domain.") { name, attend, paused };
        command.SetAction(async (parsed, _) =>
        {
            bool isPaused = parsed.GetValue(paused), isAttended = parsed.GetValue(attend);
            var request = new StartDomainRequest { Domain = parsed.GetRequiredValue(name), StartPaused = isPaused || isAttended };
            using SignalWatch signals = new(context.Stop);
            return await _xend.UseAsync(start: true, async client =>
            {
                CreateDomainReply reply;
                try
                {
                    reply = await client.StartDomainAsync(request, cancellationToken: signals.Token).ConfigureAwait(false);
                }
                catch (Grpc.Core.RpcException) when (signals.Token.IsCancellationRequested)
                {
                    context.Say("interrupted; the domain is not started, or is ended again.");
                    return signals.ExitStatus;
                }

                foreach (string warning in reply.Warnings)
                    context.Say("warning: " + warning);
                (isAttended ? context.Error : context.Out).WriteLine(string.Create(CultureInfo.InvariantCulture, $"Started domain {reply.Domain.Name} (id={reply.Domain.Id})"));
                return isAttended ? await new Attendance(context, client, signals).AttendAsync(reply.Domain, !isPaused, quiet: false).ConfigureAwait(false) : ExitCode.Ok;
            }).ConfigureAwait(false);
        });
        return command;
    }

    private Command BuildDelete()
    {
        Argument<string> name = Domain();
        Command command = new("delete", "Forget a managed domain that is not running, and what it wrote to disks that are copied on write.") { name };
        command.SetAction(async (parsed, _) =>
        {
            var request = new DomainRequest { Domain = parsed.GetRequiredValue(name) };
            return await _xend.UseAsync(start: true, async client =>
            {
                await client.DeleteDomainAsync(request, cancellationToken: context.Stop).ConfigureAwait(false);
                return ExitCode.Ok;
            }, lookOnly: true).ConfigureAwait(false);
        });
        return command;
    }
}
