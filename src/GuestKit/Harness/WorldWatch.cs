namespace Xen.GuestKit.Harness;

/// <summary>A watch on the world's store: paths wait in order, each once, and are delivered on the thread pool, one at a time.</summary>
internal sealed class WorldWatch(WorldStore store, WorldStoreConnection owner, string path, int cut, Action<string> changed)
    : IDisposable, IThreadPoolWorkItem
{
    private readonly Lock _lock = new();
    private readonly Queue<string> _waiting = [];
    private bool _isScheduled;
    private bool _isEnded;

    public WorldStoreConnection Owner => owner;

    public string Path => path;

    /// <summary>Adds a path that changed; one that waits already is told by the call that is yet to come.</summary>
    public void Queue(string changedPath)
    {
        lock (_lock)
        {
            if (_isEnded || _waiting.Contains(changedPath))
                return;
            _waiting.Enqueue(changedPath);
            if (_isScheduled)
                return;
            _isScheduled = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    public void Dispose()
    {
        store.RemoveWatch(this);
        lock (_lock)
        {
            _isEnded = true;
            _waiting.Clear();
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        for (; ; )
        {
            string? next;
            lock (_lock)
            {
                if (!_waiting.TryDequeue(out next))
                {
                    _isScheduled = false;
                    return;
                }
            }

            changed(next[cut..]);
        }
    }
}
