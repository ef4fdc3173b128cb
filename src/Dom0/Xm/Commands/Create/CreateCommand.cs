using System.CommandLine;
using System.Globalization;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary><c>xm create</c>: has xend build domains from a configuration file and start them.</summary>
internal sealed class CreateCommand(XmContext context)
{
    private readonly ConfigOptions _config = new(context, "create");
    private readonly Option<bool> _console = new("--console_autoconnect", "-c") { Description = "Connect to the domain's console; Ctrl-] leaves it." };
    private readonly Option<bool> _paused = new("--paused", "-p") { Description = "Leave the domain paused; xm unpause starts it." };

    private readonly Option<bool> _engineCheck = new("--engine-check")
    {
        Description = "Execute everything by both CPU engines and stop at the first difference; very slow, for one vCPU.",
    };

    public Command Build()
    {
        Command command = new("create", "Create a domain from a configuration file and start it.");
        _config.AddTo(command);
        command.Add(_console);
        command.Add(_paused);
        command.Add(_engineCheck);
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed)
    {
        if (parsed.GetValue(_console) && _config.HasCount(parsed))
            throw new UsageException("-c is for one domain: leave out --count, or go to a console with xm console.");
        IReadOnlyList<CreateDomainRequest> requests = await _config.ReadAsync(parsed).ConfigureAwait(false);
        foreach (CreateDomainRequest request in requests)
        {
            // With a console the domain starts when somebody looks at it.
            request.StartPaused = parsed.GetValue(_paused) || parsed.GetValue(_console);
            if (parsed.GetValue(_engineCheck))
                request.Overrides.Add("cpu_engine=lockstep");
        }

        using SignalWatch signals = new(context.Stop);
        return await new ServiceCalls(context).UseAsync(start: true, async client =>
        {
            int status = ExitCode.Ok;
            for (int i = 0; i < requests.Count && status == ExitCode.Ok; i++)
                status = await CreateAsync(client, requests[i], parsed, signals).ConfigureAwait(false);
            return status;
        }).ConfigureAwait(false);
    }

    private async Task<int> CreateAsync(Xend.XendClient client, CreateDomainRequest request, ParseResult parsed, SignalWatch signals)
    {
        CreateDomainReply reply;
        try
        {
            reply = await client.CreateDomainAsync(request, cancellationToken: signals.Token).ConfigureAwait(false);
        }
        catch (Grpc.Core.RpcException) when (signals.Token.IsCancellationRequested)
        {
            context.Say(request.Instance > 1 ? "interrupted; the domains before are there, and no more." : "interrupted; no domain is created, or it is ended again.");
            return signals.ExitStatus;
        }

        if (await _config.ReportAsync(parsed, reply).ConfigureAwait(false))
            return ExitCode.Ok;
        bool console = parsed.GetValue(_console), quiet = _config.IsQuiet(parsed);
        if (!quiet)
            (console ? context.Error : context.Out).WriteLine(string.Create(CultureInfo.InvariantCulture, $"Started domain {reply.Domain.Name} (id={reply.Domain.Id})"));
        return console ? await new Attendance(context, client, signals).AttendAsync(reply.Domain, start: !parsed.GetValue(_paused), quiet).ConfigureAwait(false) : ExitCode.Ok;
    }
}
