using System.Globalization;
using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>
/// One end of a split device as it goes through the states of xenbus: what <see cref="XenbusBackendDevice"/> and
/// <see cref="XenbusFrontendDevice"/> have in common. Read <see cref="BackendHandshake"/> first.
/// </summary>
/// <remarks>
/// <para>
/// All work is done in steps, one at a time, on the thread pool. Whatever happens (a watch fires, the driver fails, somebody asks
/// for a close) only asks for a step; a step reads both states as they are now and does one thing. So what fires twice, late or in
/// an unexpected order does no harm, and a peer that changes its state without end costs no more than a step at a time.
/// </para>
/// <para>
/// The state node is written in a transaction that checks that the node is as this end left it: a toolstack's request that is written there
/// is never lost, and a folder that was removed is not made again.
/// </para>
/// </remarks>
public abstract class XenbusDevice : IDisposable, IThreadPoolWorkItem
{
    // A step is wanted; a step is queued or runs. Both bits change together, so that no wish falls between two steps.
    private const int Wanted = 1;
    private const int Scheduled = 2;

    private readonly IStorePort _store;
    private readonly string _ownFolder;
    private readonly Action<XenbusDeviceStatus>? _changed;
    private readonly List<IDisposable> _watches = [];
    private readonly Lock _steps = new();
    private readonly Lock _watchLock = new();
    private bool _watchesEnded;
    private XenbusDeviceStatus _status = new(XenbusState.Unknown, null, "not started", IsFinished: false);
    private (int Connection, string Reason)? _failure;
    private string _ownText = "";
    private string? _trouble;
    private bool _isStarted;
    private int _connection;
    private int _work;
    private int _disposed;

    private protected XenbusDevice(IStorePort store, string ownFolder, XenbusFolder peer, Action<XenbusDeviceStatus>? changed)
    {
        _store = store;
        _ownFolder = ownFolder;
        _changed = changed;
        PeerFolder = peer;
    }

    /// <summary>Both states and the reason for them.</summary>
    public XenbusDeviceStatus Status => Volatile.Read(ref _status);

    /// <summary>What the peer writes.</summary>
    private protected XenbusFolder PeerFolder { get; }

    /// <summary>This end's state, as it was last written. Steps only, as all below.</summary>
    private protected XenbusState Own { get; private set; } = XenbusState.Initialising;

    /// <summary>The peer's state in this step.</summary>
    private protected XenbusState? Peer { get; private set; }

    private protected string StatePath => _ownFolder + "/state";

    private bool IsDisposed => Volatile.Read(ref _disposed) != 0;

    /// <summary>Begins to watch, and goes as far as the peer lets it.</summary>
    /// <returns>Null, or one sentence that says which watch was refused; then the device is to be disposed of.</returns>
    public string? Start()
    {
        lock (_steps)
        {
            if (_store.Read(StatePath, out _ownText) != XenErrno.OK)
                _ownText = "";
            Begin();
            _isStarted = true;
        }

        string? error = null;
        foreach (string path in WatchedPaths())
            error ??= Watch(path);
        if (error is not null)
            EndWatches();
        return error;
    }

    /// <summary>Stops, gives back all that is held, closes this end's state node if it is there, and disposes of the driver. Not to be called by the driver.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        EndWatches();
        lock (_steps)
        {
            if (!Status.IsFinished)
            {
                Release();
                CloseNode();
                Tell("closed: the device was removed", isFinished: true);
            }

            DisposeDriver();
        }

        GC.SuppressFinalize(this);
    }

    void IThreadPoolWorkItem.Execute()
    {
        Interlocked.And(ref _work, ~Wanted);
        bool again;
        lock (_steps)
            again = !IsDisposed && !Status.IsFinished && Step();

        // One step for each turn on the pool: a peer that never rests shares it with the others.
        Interlocked.And(ref _work, ~Scheduled);
        if (again)
            Interlocked.Or(ref _work, Wanted);
        Schedule();
    }

    /// <summary>What to watch, beside the peer's state.</summary>
    private protected abstract IEnumerable<string> WatchedPaths();

    /// <summary>Looks at the state that the device starts in.</summary>
    private protected abstract void Begin();

    /// <summary>Does the next thing.</summary>
    /// <param name="peerError">What is wrong with the peer's state node; then <see cref="Peer"/> is null.</param>
    /// <returns>True if something was done, so that there may be more to do.</returns>
    private protected abstract bool Advance(string? peerError);

    /// <summary>Somebody else wrote this end's state.</summary>
    private protected abstract void StateWasWritten(XenbusState? state);

    /// <summary>The driver has failed while connected.</summary>
    private protected abstract void DriverFailed(string reason);

    /// <summary>Has the driver give back all it holds.</summary>
    private protected abstract void Release();

    private protected abstract void DisposeDriver();

    /// <summary>Asks for a step. Any thread.</summary>
    private protected void Wake()
    {
        Interlocked.Or(ref _work, Wanted);
        Schedule();
    }

    /// <summary>Begins a connection, from the driver's first call until <see cref="EndConnection"/>: what it reports is about this one.</summary>
    /// <returns>What the driver calls when it fails.</returns>
    private protected Action<string> NewConnection()
    {
        int connection = ++_connection;
        return reason =>
        {
            lock (_watchLock)
            {
                // The first reason counts; one for an earlier connection does not.
                if (_failure is not { } earlier || earlier.Connection != connection)
                    _failure = (connection, reason);
            }

            Wake();
        };
    }

    /// <summary>Reports from the connection that there was are too late.</summary>
    private protected void EndConnection() => _connection++;

    /// <summary>Writes this end's state.</summary>
    /// <returns>False if it could not be: the node was changed or removed by somebody else, or the store refused. The next step sees to it.</returns>
    private protected bool SetState(XenbusState state)
    {
        string text = ((int)state).ToString(CultureInfo.InvariantCulture);
        bool moved = false;
        XenErrno error = _store.Transact(view =>
        {
            XenErrno read = view.Read(StatePath, out string now);
            moved = read == XenErrno.ENOENT || (read == XenErrno.OK && now != _ownText);
            return moved || read != XenErrno.OK ? XenErrno.EBUSY : now == text ? XenErrno.OK : view.Write(StatePath, text);
        });
        if (error == XenErrno.OK)
        {
            _ownText = text;
            _trouble = null;
            Own = state;
            return true;
        }

        if (moved)
        {
            Wake();
            return false;
        }

        // The peer does not learn of it, but nothing is held longer than it should be.
        Own = state;
        _trouble = $"; xenstore refused state={text}: {error}";
        return false;
    }

    /// <summary>Takes this end's state as it should be, when its node cannot be written any more.</summary>
    private protected void AssumeState(XenbusState state) => Own = state;

    /// <summary>Publishes the status.</summary>
    private protected void Tell(string text, bool isFinished = false)
    {
        XenbusDeviceStatus status = new(Own, Peer, text + _trouble, isFinished);
        if (status == _status)
            return;

        // Whoever sees that it is finished finds nothing of it left.
        if (isFinished)
            EndWatches();
        Volatile.Write(ref _status, status);
        _changed?.Invoke(status);
    }

    /// <summary>At the end the state is Closed, whoever wrote what; a folder that is gone is not made again.</summary>
    private void CloseNode()
    {
        if (!_isStarted)
            return;
        Own = XenbusState.Closed;
        _store.Transact(view => view.Read(StatePath, out _) is var error and not XenErrno.OK
            ? error
            : view.Write(StatePath, ((int)XenbusState.Closed).ToString(CultureInfo.InvariantCulture)));
    }

    private bool Step()
    {
        XenErrno error = _store.Read(StatePath, out string text);
        if (error == XenErrno.ENOENT)
        {
            Release();
            Own = XenbusState.Closed;
            Tell("closed: the device's folder was removed", isFinished: true);
            return false;
        }

        if (error != XenErrno.OK)
        {
            Tell($"waiting: xenstore refused to read {StatePath}: {error}");
            return false;
        }

        string? peerError = PeerFolder.ReadState(out XenbusState? peer);
        Peer = peer;
        if (text != _ownText)
        {
            _ownText = text;
            StateWasWritten(uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint state) ? (XenbusState)state : null);
            return true;
        }

        if (TakeFailure() is { } reason)
        {
            DriverFailed(reason);
            return true;
        }

        return Advance(peerError);
    }

    private string? TakeFailure()
    {
        lock (_watchLock)
        {
            (int Connection, string Reason)? failure = _failure;
            _failure = null;
            return failure is { } f && f.Connection == _connection ? f.Reason : null;
        }
    }

    private string? Watch(string path)
    {
        XenErrno error = _store.Watch(path, _ => Wake(), out IDisposable? watch);
        if (error != XenErrno.OK || watch is null)
            return $"xenstore refused a watch on {path}: {error}";
        lock (_watchLock)
        {
            if (!_watchesEnded)
            {
                _watches.Add(watch);
                return null;
            }
        }

        watch.Dispose();
        return null;
    }

    private void EndWatches()
    {
        IDisposable[] watches;
        lock (_watchLock)
        {
            _watchesEnded = true;
            watches = [.. _watches];
            _watches.Clear();
        }

        foreach (IDisposable watch in watches)
            watch.Dispose();
    }

    private void Schedule()
    {
        if ((Volatile.Read(ref _work) & Wanted) != 0 && (Interlocked.Or(ref _work, Scheduled) & Scheduled) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
