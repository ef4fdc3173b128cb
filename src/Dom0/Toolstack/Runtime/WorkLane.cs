using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Xen.Toolstack;

/// <summary>
/// Threads of its own for work that blocks, such as reading a kernel, so that the threads of the pool, which everybody needs, never do. There are only so many;
/// what comes when all are busy waits its turn, and when too much waits it is refused.
/// </summary>
/// <remarks>Threads: any. A thread begins when there is work that no other is free for, and ends when it has had none for a while.</remarks>
public sealed class WorkLane : IDisposable
{
    private static readonly TimeSpan IdlePatience = TimeSpan.FromSeconds(10);

    /// <summary>Guards everything below; a leaf.</summary>
    private readonly object _gate = new();
    private readonly Queue<Action> _waiting = [];
    private readonly string _name;
    private readonly int _mostThreads, _mostWaiting;

    /// <summary>Threads, and those of them that take what waits as soon as they can.</summary>
    private int _threads, _free;
    private bool _disposed;

    /// <param name="name">Of its threads.</param>
    /// <param name="mostThreads">At once; 1 or more.</param>
    /// <param name="mostWaiting">Pieces of work that may wait for a thread.</param>
    public WorkLane(string name, int mostThreads, int mostWaiting)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mostThreads, 1);
        (_name, _mostThreads, _mostWaiting) = (name, mostThreads, mostWaiting);
    }

    /// <summary>Threads that there are now.</summary>
    public int Threads
    {
        get
        {
            lock (_gate)
                return _threads;
        }
    }

    /// <summary>Has work done: it begins in the order in which it comes.</summary>
    /// <param name="work">It throws nothing.</param>
    /// <returns>False: too much waits, or the lane is disposed of.</returns>
    public bool TryPost(Action work)
    {
        lock (_gate)
        {
            if (_disposed)
                return false;
            bool isFree = _waiting.Count < _free, begin = !isFree && _threads < _mostThreads;
            if (!isFree && !begin && _waiting.Count - _free >= _mostWaiting)
                return false;
            _waiting.Enqueue(work);
            if (begin)
                Begin();
            else
                Monitor.Pulse(_gate);
            return true;
        }
    }

    /// <summary>Has work done whose result somebody waits for.</summary>
    /// <returns>False: too much waits, or the lane is disposed of.</returns>
    public bool TryRun<T>(Func<T> work, [NotNullWhen(true)] out Task<T>? result)
    {
        ArgumentNullException.ThrowIfNull(work);
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        bool posted = TryPost(() =>
        {
            try
            {
                done.SetResult(work());
            }
#pragma warning disable CA1031 // whoever waits gets it
            catch (Exception fault)
#pragma warning restore CA1031
            {
                done.SetException(fault);
            }
        });
        result = posted ? done.Task : null;
        return posted;
    }

    /// <summary>Takes no more work. What waits is still done; nobody waits for it here.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            Monitor.PulseAll(_gate);
        }
    }

    private void Begin()
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{_name}-{_threads++}");
        _free++;
        new Thread(Run) { Name = name, IsBackground = true }.Start();
    }

    private void Run()
    {
        bool isNew = true;
        while (TryTake(isNew, out Action? work))
        {
            isNew = false;
            work();
        }
    }

    /// <returns>False: this thread ends.</returns>
    private bool TryTake(bool isNew, [NotNullWhen(true)] out Action? work)
    {
        lock (_gate)
        {
            if (isNew)
                _free--;
            bool waited = false;
            while (!_waiting.TryDequeue(out work))
            {
                if (_disposed || waited)
                {
                    _threads--;
                    return false;
                }

                _free++;
                waited = !Monitor.Wait(_gate, IdlePatience);
                _free--;
            }

            return true;
        }
    }
}
