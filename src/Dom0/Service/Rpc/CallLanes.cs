using Grpc.Core;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>
/// The threads that calls work on which may block: in lanes, so that what is slow, such as reading a kernel from a file server that does not answer, does not hold
/// up what is quick, and readers hold up nobody but readers.
/// </summary>
internal sealed class CallLanes : IDisposable
{
    private readonly WorkLane _looking = new("call-look", mostThreads: 4, mostWaiting: 256);
    private readonly WorkLane _control = new("call-control", mostThreads: 32, mostWaiting: 1024);
    private readonly WorkLane _building = new("call-build", mostThreads: 16, mostWaiting: 1024);

    /// <summary>Threads that there are now.</summary>
    public int Threads => _looking.Threads + _control.Threads + _building.Threads;

    /// <summary>What only looks.</summary>
    /// <param name="role">Of the caller: readers have a lane of their own.</param>
    /// <param name="work">The call.</param>
    /// <exception cref="RpcException">Too many calls wait, or xend stops; so with the others.</exception>
    public Task<T> LookAsync<T>(Role role, Func<T> work) => RunAsync(role == Role.Operator ? _control : _looking, work);

    /// <summary>What changes something and does not take long.</summary>
    public Task<T> ControlAsync<T>(Func<T> work) => RunAsync(_control, work);

    /// <summary>What reads or writes files that may be large or far away: building, dumping, plugging in.</summary>
    public Task<T> BuildAsync<T>(Func<T> work) => RunAsync(_building, work);

    public void Dispose()
    {
        _looking.Dispose();
        _control.Dispose();
        _building.Dispose();
    }

    private static Task<T> RunAsync<T>(WorkLane lane, Func<T> work) => lane.TryRun(work, out Task<T>? result)
        ? result
        : throw new RpcException(new Status(StatusCode.ResourceExhausted, "xend has too many calls of this kind waiting: ask again when some of them have ended."));
}
