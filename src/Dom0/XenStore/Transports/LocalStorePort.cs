using Xen.Abi;
using Xen.Rings;

namespace Xen.XenStore;

/// <summary>A connection to the store for code in the same process, by <see cref="StoreServer.OpenPort"/>.</summary>
/// <remarks>
/// Any thread; no call waits for another client, except for a transaction that others kept from committing (<see cref="Transact"/>). Handlers of watches are called on pool threads, one at a time, with no lock held; they may
/// use the port. After the domain's release or <see cref="Dispose"/>, changes are EIO and no handler is called.
/// </remarks>
public sealed class LocalStorePort : IStorePort, IDisposable
{
    /// <summary>How often a transaction may be in conflict before it gets the store for itself.</summary>
    internal const int OptimisticTries = 8;

    private readonly StoreServer _server;
    private readonly StoreView _direct;

    internal LocalStorePort(StoreServer server, StoreDomain domain)
    {
        _server = server;
        Client = new LocalClient(server, domain);
        _direct = new StoreView(server, Client, 0);
    }

    internal StoreClient Client { get; }

    public XenErrno Read(string path, out string value) => _direct.Read(path, out value);

    public XenErrno List(string path, out IReadOnlyList<string> names) => _direct.List(path, out names);

    public XenErrno Write(string path, string value) => _direct.Write(path, value);

    public XenErrno MakeDirectory(string path) => _direct.MakeDirectory(path);

    public XenErrno Remove(string path) => _direct.Remove(path);

    public XenErrno GetPermissions(string path, out IReadOnlyList<StorePermission> permissions) => _direct.GetPermissions(path, out permissions);

    public XenErrno SetPermissions(string path, IReadOnlyList<StorePermission> permissions) => _direct.SetPermissions(path, permissions);

    /// <inheritdoc/>
    /// <remarks>
    /// Somebody who writes without end what the body reads can spoil every try; so after <see cref="OptimisticTries"/> the body runs with the store's
    /// lock held, when no other client can change anything. It succeeds then, however busy the others are, and they wait for as long as it takes.
    /// </remarks>
    public XenErrno Transact(Func<IStoreView, XenErrno> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        var wait = new SpinWait();
        for (int tries = 0; tries < OptimisticTries; tries++)
        {
            XenErrno error = TryTransact(body, out bool isConflict);
            if (!isConflict)
                return error;
            wait.SpinOnce(sleep1Threshold: -1);
        }

        XenErrno last = _server.RunAlone(() => TryTransact(body, out _));
        _server.Report(Client);
        return last;
    }

    public XenErrno Watch(string path, Action<string> changed, out IDisposable? watch)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(changed);
        var registration = new Registration(_server, Client, path, changed);
        XenErrno error = registration.Set();
        watch = error == XenErrno.OK ? registration : null;
        _server.Report(Client);
        return error;
    }

    /// <summary>Ends the connection: its watches and transactions go.</summary>
    public void Dispose() => _server.Disconnect(Client);

    private XenErrno TryTransact(Func<IStoreView, XenErrno> body, out bool isConflict)
    {
        isConflict = false;
        XenErrno error = _server.StartTransaction(Client, out uint id);
        _server.Report(Client);
        if (error != XenErrno.OK)
            return error;
        bool commit = false;
        try
        {
            error = body(new StoreView(_server, Client, id));
            commit = error == XenErrno.OK;
        }
        finally
        {
            XenErrno ended = _server.EndTransaction(Client, id, commit);
            if (commit)
                error = ended;
            isConflict = commit && ended == XenErrno.EAGAIN;
            _server.Report(Client);
        }

        return error;
    }

    /// <summary>A watch, which ends with its disposal: no call begins after that.</summary>
    private sealed class Registration(StoreServer server, StoreClient client, string path, Action<string> changed) : IDisposable
    {
        /// <summary>A token of its own, so that two watches of one path are two.</summary>
        private readonly string _token = Guid.NewGuid().ToString("N");

        public XenErrno Set()
        {
            XenErrno error = server.AddWatch(client, path, _token, null, changed, out StoreWatch? watch);
            if (error == XenErrno.OK)
                server.FireFirst(watch!);
            return error;
        }

        public void Dispose() => _ = server.RemoveWatch(client, path, _token);
    }

    /// <summary>Calls the handlers of events.</summary>
    private sealed class LocalClient(StoreServer server, StoreDomain domain) : StoreClient(domain), IThreadPoolWorkItem
    {
        private const int Idle = 0, Running = 1, Again = 2;

        private int _state;

        /// <summary>Events collapse by watch and path; a slow handler in this process is not a reason to lose more.</summary>
        protected override int EventLimit => Identity.IsPrivileged ? 0 : base.EventLimit;

        public override void Wake()
        {
            if (Interlocked.Exchange(ref _state, Again) == Idle)
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        public void Execute()
        {
            do
            {
                Volatile.Write(ref _state, Running);
                Interlocked.MemoryBarrier();
                while (Outbox.TryTakeEvent(out StoreWatch? watch, out string path))
                {
                    if (watch!.IsSet)
                        watch.Handler!(path);
                }
            }
            while (Interlocked.CompareExchange(ref _state, Idle, Running) != Running);

            server.Report(this);
        }
    }
}
