using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Service;

/// <summary>The calls of the contract (src/Dom0/Contract/xend.proto); read that first.</summary>
internal sealed partial class XendService(XendState state, CallLanes lanes, ConsoleSeats seats) : Xend.XendBase
{
    /// <summary>Domains that one call may name.</summary>
    private const int MostNames = 1024;

    /// <summary>Does what may take long (reading kernels, writing dumps) off the pool and beside what does not.</summary>
    private Task<T> OffPoolAsync<T>(Func<T> work) => lanes.BuildAsync(work);

    private Task<Done> OffPoolAsync(Action work) => OffPoolAsync(() => Do(work));

    /// <summary>Does what is quick, but for a domain's lock that it may wait for, off the pool.</summary>
    private Task<Done> ControlAsync(Action work) => lanes.ControlAsync(() => Do(work));

    /// <summary>Looks off the pool.</summary>
    private Task<T> LookAsync<T>(ServerCallContext context, Func<T> work) => lanes.LookAsync(Caller.Of(context.GetHttpContext()).Role, work);

    private static Done Do(Action work)
    {
        work();
        return new Done();
    }

    /// <exception cref="ArgumentException">The call names more than it may.</exception>
    private static void CheckNames(ListDomainsRequest request)
    {
        if (request.Domains.Count > MostNames)
            throw new ArgumentException($"a call may name {MostNames} domains, and not {request.Domains.Count}: name none for all of them, or ask more than once.");
    }

    /// <summary>A path that a client names, such as the folder that its relative paths begin in.</summary>
    private static string Absolute(string path) =>
        Path.IsPathFullyQualified(path) ? path : throw new ArgumentException($"'{path}' must be an absolute path.");

    /// <summary>Cancelled when the client leaves or xend stops.</summary>
    private CancellationTokenSource Until(ServerCallContext context) => CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, state.Stopping);
}
