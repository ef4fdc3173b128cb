using System.Diagnostics;
using Grpc.Core;
using Xen.Contract;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>How commands reach xend, and what they say when that fails.</summary>
internal sealed class ServiceCalls(XmContext context)
{
    /// <summary>How long a xend that somebody else has started may take to answer, or one that is ending to end; and how often that is looked at.</summary>
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(20), StartPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Asks the xend that runs.</summary>
    /// <exception cref="XmException">None runs, it refuses, or it ends meanwhile.</exception>
    public Task<T> AskAsync<T>(Func<Xend.XendClient, AsyncUnaryCall<T>> call) => UseAsync(start: false, async client => await call(client).ConfigureAwait(false));

    /// <summary>Works with xend.</summary>
    /// <param name="start">Whether one is started if none runs.</param>
    /// <param name="use">The work.</param>
    /// <param name="lookOnly">One that is started does not start domains by itself.</param>
    /// <exception cref="XmException">As for <see cref="AskAsync"/>.</exception>
    public async Task<T> UseAsync<T>(bool start, Func<Xend.XendClient, Task<T>> use, bool lookOnly = false)
    {
        using XendConnection connection = await OpenAsync(start, lookOnly).ConfigureAwait(false)
            ?? throw new XmException("no domain is running, and no xend: start a domain with xm create.");
        return await TranslateAsync(() => use(connection.Client)).ConfigureAwait(false);
    }

    /// <summary>The same, where there may be no xend.</summary>
    /// <returns>The default, if none runs.</returns>
    public async Task<T?> TryAskAsync<T>(Func<Xend.XendClient, AsyncUnaryCall<T>> call)
        where T : class
    {
        using XendConnection? connection = await OpenAsync(start: false).ConfigureAwait(false);
        return connection is null ? null : await TranslateAsync(async () => await call(connection.Client).ConfigureAwait(false)).ConfigureAwait(false);
    }

    /// <summary>Lists domains. Without a xend there are none, unless some are managed: then one is started.</summary>
    /// <param name="names">Names or numbers; none: all.</param>
    /// <param name="withInactive">Managed domains that do not run, too.</param>
    /// <exception cref="XmException">As for <see cref="AskAsync"/>, and if one of the names is nobody's.</exception>
    public async Task<IReadOnlyList<Domain>> ListAsync(string[] names, bool withInactive)
    {
        var request = new ListDomainsRequest { WithInactive = withInactive, Domains = { names } };
        if (withInactive && context.Paths.HasManagedDomains)
            return (await UseAsync(start: true, async client => await client.ListDomainsAsync(request).ConfigureAwait(false), lookOnly: true).ConfigureAwait(false)).Domains;
        ListDomainsReply? reply = await TryAskAsync(client => client.ListDomainsAsync(request)).ConfigureAwait(false);
        if (reply is null && names.Length > 0)
            throw new XmException($"no domain '{names[0]}' is running, and no xend: start a domain with xm create.");
        return reply?.Domains ?? [];
    }

    /// <summary>A connection that is lost is Unavailable, or Internal with the exception that it was lost by, as the client's library sees it; xend's own statuses have none.</summary>
    private async Task<T> TranslateAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (RpcException fault) when (fault.StatusCode == StatusCode.Unavailable || (fault.StatusCode == StatusCode.Internal && fault.Status.DebugException is not null))
        {
            throw new XmException(fault.Status.Detail.Contains("is not created", StringComparison.Ordinal) ? fault.Status.Detail : context.Remote?.Lost ?? "xend ended meanwhile, and its domains with it: its log says why (xm log).", fault);
        }
        catch (RpcException fault) when (fault.StatusCode == StatusCode.Cancelled)
        {
            throw new OperationCanceledException(fault.Message, fault);
        }
        catch (RpcException fault)
        {
            throw new XmException(fault.Status.Detail, fault);
        }
    }

    private async Task<XendConnection?> OpenAsync(bool start, bool lookOnly = false)
    {
        if (context.Remote is { } remote)
            return await remote.OpenAsync(context.Stop).ConfigureAwait(false);
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                XendConnection? connection = await XendConnection.TryOpenAsync(context.Paths.ServiceSocket, context.Stop).ConfigureAwait(false);
                if (connection is not null || !start)
                    return connection;
                await context.StartService(lookOnly, context.Stop).ConfigureAwait(false);
            }
            catch (IOException) when (start && File.Exists(context.Paths.ServiceLock) && Stopwatch.GetElapsedTime(began) < StartPatience)
            {
                // Another command has just started one, or one is just ending: its lock says so.
                await Task.Delay(StartPause, context.Stop).ConfigureAwait(false);
            }
            catch (IOException fault)
            {
                throw new XmException(fault.Message, fault);
            }
        }
    }
}
