namespace Xen.Core;

/// <summary>
/// Lets senders touch a domain's event memory without a lock, and lets its owner wait until none does. Senders count themselves in and out; who
/// shuts the gate waits for those inside and is alone then.
/// <code>
///  31     30                0
/// +------+-------------------+
/// | shut | senders inside    |
/// +------+-------------------+
/// </code>
/// </summary>
/// <remarks>
/// The gate is shut and opened under the table's lock; who is inside takes no lock of a table, so the wait ends.
/// It is shut for moments only, but for good when the domain dies: its memory may become somebody else's page tables afterwards.
/// </remarks>
internal sealed class SenderGate
{
    private const int Shut = int.MinValue;

    private int _state;
    private bool _isForGood;

    /// <summary>Goes in; waits while the gate is shut.</summary>
    /// <returns>False when it is shut for good.</returns>
    public bool TryEnter()
    {
        if (Volatile.Read(ref _state) >= 0)
        {
            if (Interlocked.Increment(ref _state) > 0)
                return true;
            Interlocked.Decrement(ref _state);
        }

        return WaitAndEnter();
    }

    public void Exit() => Interlocked.Decrement(ref _state);

    /// <summary>Shuts the gate and waits until nobody is inside.</summary>
    /// <param name="forGood">It never opens again.</param>
    public void Close(bool forGood = false)
    {
        Volatile.Write(ref _isForGood, forGood);
        Interlocked.Or(ref _state, Shut);
        var spin = default(SpinWait);
        while (Volatile.Read(ref _state) != Shut)
            spin.SpinOnce(sleep1Threshold: -1);
    }

    public void Open() => Interlocked.And(ref _state, ~Shut);

    private bool WaitAndEnter()
    {
        var spin = default(SpinWait);
        while (!Volatile.Read(ref _isForGood))
        {
            if (Volatile.Read(ref _state) >= 0)
            {
                if (Interlocked.Increment(ref _state) > 0)
                    return true;
                Interlocked.Decrement(ref _state);
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }

        return false;
    }
}
