using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Service;

/// <summary>The calls of the contract (src/Dom0/Contract/xend.proto); read that first.</summary>
internal sealed partial class XendService(XendState state) : Xend.XendBase
{
    /// <summary>Does what blocks (reading kernels, waiting for a guest's lock) on a thread of its own, so that other calls do not wait for it.</summary>
    private static Task<T> OffPoolAsync<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static Task<Done> OffPoolAsync(Action work) => OffPoolAsync(() =>
    {
        work();
        return new Done();
    });

    /// <summary>A path that a client names, such as the folder that its relative paths begin in.</summary>
    private static string Absolute(string path) =>
        Path.IsPathFullyQualified(path) ? path : throw new ArgumentException($"'{path}' must be an absolute path.");

    /// <summary>Cancelled when the client leaves or xend stops.</summary>
    private CancellationTokenSource Until(ServerCallContext context) => CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, state.Stopping);
}
