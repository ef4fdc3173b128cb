using System.Runtime.CompilerServices;

namespace Xen.Core;

/// <summary>What a port of this process's own code calls when an event comes, and who is in that call at the moment.</summary>
/// <remarks>
/// Calls come on the senders' threads, several at once perhaps, with no lock of the hypervisor held. After <see cref="Close"/> has returned no call
/// begins, and none runs, with one exception: who closes from inside of a handler (of any port of the table) is not made to wait, since it might wait for
/// itself or for somebody who waits for it; calls that other threads have begun before may then still run.
/// </remarks>
internal sealed class HostPort(Action onNotify, ConditionalWeakTable<Thread, StrongBox<int>> inHandlers)
{
    /// <summary>Closed is the sign; the rest counts the calls that run.</summary>
    private const int Closed = int.MinValue;

    private readonly object _ended = new();
    private int _calls;

    /// <summary>Calls the handler unless the port is closed.</summary>
    public void Call()
    {
        if (Volatile.Read(ref _calls) < 0)
            return;
        if (Interlocked.Increment(ref _calls) > 0)
        {
            StrongBox<int> depth = inHandlers.GetValue(Thread.CurrentThread, static _ => new StrongBox<int>());
            depth.Value++;
            try
            {
                onNotify();
            }
            finally
            {
                depth.Value--;
                End();
            }

            return;
        }

        End();
    }

    /// <summary>Lets no call begin any more, and waits for those that run.</summary>
    public void Close(bool wait)
    {
        Interlocked.Or(ref _calls, Closed);
        if (!wait || (inHandlers.TryGetValue(Thread.CurrentThread, out StrongBox<int>? depth) && depth.Value != 0))
            return;
        lock (_ended)
        {
            while (Volatile.Read(ref _calls) != Closed)
                Monitor.Wait(_ended);
        }
    }

    private void End()
    {
        if (Interlocked.Decrement(ref _calls) != Closed)
            return;
        lock (_ended)
            Monitor.PulseAll(_ended);
    }
}
