namespace Xen.XenStore;

/// <summary>
/// What waits to be sent to one client: replies and watch events in order. An event that already waits is not added again, so that a slow
/// client costs no more than the different paths it watches, and those up to a limit.
/// </summary>
/// <remarks>Any thread may add; one at a time takes. Its lock is a leaf.</remarks>
internal sealed class Outbox
{
    private readonly Lock _lock = new();
    private readonly Queue<Message> _queue = new();
    private readonly HashSet<(StoreWatch, string)> _waiting = [];
    private byte[] _current = [];
    private int _sent;
    private long _eventBytes;

    /// <summary>Messages that wait, one that is partly sent included.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _queue.Count + (_sent < _current.Length ? 1 : 0);
        }
    }

    public void AddReply(byte[] message)
    {
        lock (_lock)
            _queue.Enqueue(new Message(message, null, string.Empty));
    }

    /// <summary>Adds an event.</summary>
    /// <param name="watch">The watch.</param>
    /// <param name="path">What changed, as the client is to see it.</param>
    /// <param name="limit">How much may wait. <b>Units</b>: bytes; 0 for no limit.</param>
    /// <returns>False if it did not fit; it is not added.</returns>
    public bool TryAddEvent(StoreWatch watch, string path, int limit)
    {
        lock (_lock)
        {
            long size = SizeOf(watch, path);
            if (_waiting.Contains((watch, path)))
                return true;
            if (StoreQuotas.IsOver(limit, _eventBytes + size))
                return false;
            _waiting.Add((watch, path));
            _eventBytes += size;
            _queue.Enqueue(new Message(null, watch, path));
            return true;
        }
    }

    /// <summary>Drops the events of a watch that is gone.</summary>
    public void Forget(StoreWatch watch)
    {
        lock (_lock)
        {
            bool any = false;
            foreach ((StoreWatch waiting, _) in _waiting)
                any |= waiting == watch;
            if (!any)
                return;
            for (int left = _queue.Count; left > 0; left--)
            {
                Message message = _queue.Dequeue();
                if (message.Watch == watch)
                    Uncount(message);
                else
                    _queue.Enqueue(message);
            }
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            _queue.Clear();
            _waiting.Clear();
            _eventBytes = 0;
            _current = [];
            _sent = 0;
        }
    }

    /// <summary>The bytes to send next, to be followed by <see cref="Sent"/>; empty if there are none.</summary>
    public ReadOnlySpan<byte> Peek()
    {
        lock (_lock)
        {
            if (_sent == _current.Length && _queue.TryDequeue(out Message message))
            {
                Uncount(message);
                _current = message.Reply ?? WireText.NewEvent(message.Path, message.Watch!.Token);
                _sent = 0;
            }

            return _current.AsSpan(_sent);
        }
    }

    /// <summary>So many of the bytes went out.</summary>
    public void Sent(int count)
    {
        lock (_lock)
            _sent = Math.Min(_sent + count, _current.Length);
    }

    /// <summary>Takes the next event of a client that gets nothing else and not as bytes.</summary>
    public bool TryTakeEvent(out StoreWatch? watch, out string path)
    {
        lock (_lock)
        {
            bool any = _queue.TryDequeue(out Message message);
            if (any)
                Uncount(message);
            watch = message.Watch;
            path = message.Path;
            return any;
        }
    }

    private static long SizeOf(StoreWatch watch, string path) => WireText.HeaderSize + path.Length + watch.Token.Length + 2;

    private void Uncount(in Message message)
    {
        if (message.Watch is { } watch && _waiting.Remove((watch, message.Path)))
            _eventBytes -= SizeOf(watch, message.Path);
    }

    private readonly record struct Message(byte[]? Reply, StoreWatch? Watch, string Path);
}
