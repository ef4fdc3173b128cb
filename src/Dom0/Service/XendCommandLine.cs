using System.CommandLine;
using System.CommandLine.Invocation;
using System.Globalization;
using System.Net;
using Grpc.Core;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The command line of xend: start it, stop it, ask whether it runs.</summary>
internal sealed partial class XendCommandLine
{
    private const int Ok = 0, Failed = 1, Usage = 2;

    private readonly TextWriter _out, _error;
    private readonly RootCommand _root;
    private readonly Option<bool> _foreground = new("--foreground", "-F") { Description = "Stay with the terminal and say there what happens; else xend goes on by itself." };
    private readonly Option<bool> _detached = new(XendLauncher.DetachOption) { Hidden = true };
    private readonly Option<bool> _lookOnly = new(XendLauncher.LookOnlyOption) { Hidden = true };
    private readonly Option<int?> _memory = new("--memory") { Description = "Memory for guests, all together, in MiB; unless told otherwise seven eighths of what the host has." };
    private readonly Option<int?> _idleExit = new("--idle-exit") { Description = "End when there has been no domain and no client for so many seconds." };
    private readonly Option<string?> _metrics = new("--metrics") { Description = "Offer Prometheus metrics over HTTP at ADDRESS:PORT, such as 127.0.0.1:9090." };
    private readonly Option<bool> _metricsAny = new("--metrics-any") { Description = "The address of --metrics may be one that other machines reach; there is no password." };

    public XendCommandLine(TextWriter output, TextWriter error)
    {
        (_out, _error) = (output, error);
        _root = new RootCommand("Run domains: the Dom0 service that xm talks to.")
        {
            _foreground, _detached, _lookOnly, _memory, _idleExit, _socketGroup, _readersGroup, _listen, _tlsCert, _tlsKey, _tlsCa, _metrics, _metricsAny,
        };
        _root.SetAction((parsed, _) => StartAsync(parsed));
        _root.Add(BuildStop());
        _root.Add(BuildStatus());
    }

    /// <summary>Runs one command.</summary>
    /// <returns>The process's exit status: 0, 1 where something failed, 2 where the command line is wrong.</returns>
    public async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        try
        {
            ParseResult parsed = _root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (parsed.Action is ParseErrorAction)
                return Fail(string.Join(' ', parsed.Errors.Select(static e => e.Message)) + " xend --help says more.", Usage);
            return await parsed.InvokeAsync(
                new InvocationConfiguration { Output = _out, Error = _error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ToolstackException or IOException)
        {
            return Fail(e.Message, Failed);
        }
        catch (RpcException e)
        {
            return Fail(e.Status.Detail, Failed);
        }
    }

    private async Task<int> StartAsync(ParseResult parsed)
    {
        if (parsed.GetValue(_memory) is < DomainConfig.LeastMemoryMiB)
            return Fail(string.Create(CultureInfo.InvariantCulture, $"--memory must be at least {DomainConfig.LeastMemoryMiB} (MiB)."), Usage);
        if (parsed.GetValue(_idleExit) is < 0)
            return Fail("--idle-exit must be 0 seconds or more.", Usage);
        if (WrongAccess(parsed) is { } wrong)
            return Fail(wrong, Usage);
        IPEndPoint? metrics = null;
        if (parsed.GetValue(_metrics) is { } address && MetricsAddress.TryParse(address, parsed.GetValue(_metricsAny), out metrics) is { } fault)
            return Fail(fault, Usage);
        if (!parsed.GetValue(_foreground))
        {
            await XendLauncher.StartAsync(Environment.ProcessPath ?? XendLauncher.Program, Forwarded(parsed), CancellationToken.None).ConfigureAwait(false);
            return Ok;
        }

        bool detached = parsed.GetValue(_detached);
        if (detached)
            Detachment.LeaveSession();
        var options = ReadAccess(parsed, new XendOptions(XenPaths.ForUser())
        {
            MemoryMiB = parsed.GetValue(_memory) ?? XendOptions.PresetMemoryMiB,
            IdleExit = parsed.GetValue(_idleExit) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            Metrics = metrics,
            StartsDomains = !parsed.GetValue(_lookOnly),
        });
        using var signals = new StopSignals();
        XendHost host = await XendHost.StartAsync(options, LocalToolstack.Start, detached ? null : _error).ConfigureAwait(false);
        await using (host.ConfigureAwait(false))
        {
            if (detached)
                Detachment.ReportReady();
            SystemdNotify.Send("READY=1");
            await host.RunAsync(signals).ConfigureAwait(false);
        }

        return Ok;
    }

    private IEnumerable<string> Forwarded(ParseResult parsed)
    {
        foreach (Option<int?> option in new[] { _memory, _idleExit })
        {
            if (parsed.GetValue(option) is { } value)
                yield return string.Create(CultureInfo.InvariantCulture, $"{option.Name}={value}");
        }

        foreach (string option in ForwardedAccess(parsed))
            yield return option;
        if (parsed.GetValue(_metrics) is { } metrics)
            yield return $"{_metrics.Name}={metrics}";
        if (parsed.GetValue(_metricsAny))
            yield return _metricsAny.Name;
    }

    private Command BuildStop()
    {
        Option<int> timeout = new("--timeout") { Description = "Seconds that guests may take to shut down before they are destroyed (60).", DefaultValueFactory = static _ => 0 };
        Command command = new("stop", "Shut all domains down, in order, and end xend.") { timeout };
        command.SetAction(async (parsed, stop) =>
        {
            using XendConnection? xend = await XendConnection.TryOpenAsync(XenPaths.ForUser().ServiceSocket, stop).ConfigureAwait(false);
            if (xend is null)
                return Fail("no xend is running.", Failed);
            await xend.Client.StopAsync(new StopRequest { TimeoutSeconds = parsed.GetValue(timeout) }, cancellationToken: stop).ConfigureAwait(false);
            return Ok;
        });
        return command;
    }

    private Command BuildStatus()
    {
        Command command = new("status", "Say whether xend runs; exit status 1 if it does not.");
        command.SetAction(async (_, stop) =>
        {
            using XendConnection? xend = await XendConnection.TryOpenAsync(XenPaths.ForUser().ServiceSocket, stop).ConfigureAwait(false);
            if (xend is null)
                return Fail("no xend is running.", Failed);
            HostInfo info = await xend.Client.GetInfoAsync(new GetInfoRequest(), cancellationToken: stop).ConfigureAwait(false);
            await _out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"xend is running, process {info.ProcessId}.")).ConfigureAwait(false);
            return Ok;
        });
        return command;
    }

    private int Fail(string message, int status)
    {
        _error.WriteLine("xend: " + message);
        return status;
    }
}
