using System.Net.Sockets;
using System.Text;
using Xen.Abi;

namespace Xen.XenStore;

/// <summary>
/// Serves the store on a Unix socket, where clients have Dom0's rights: Debian's xenstore-* tools and libxenstore find it by XENSTORED_PATH, else at
/// /var/run/xenstored/socket. The socket's mode is 0600: who may open it may everything.
/// </summary>
/// <remarks>
/// A file beside the socket, named "….lock", is locked as long as the server lives, and removed with it. A client that does not read its answers waits, and is
/// disconnected when too many events wait for it.
/// </remarks>
public sealed class StoreSocketServer : IDisposable
{
    /// <summary>Clients at a time; others are disconnected at once.</summary>
    public const int MaxClients = 512;

    /// <summary>Longest path that a Unix socket can have. <b>Units</b>: bytes.</summary>
    public const int MaxPathLength = 107;

    private readonly StoreServer _server;
    private readonly LockFile _lockFile;
    private readonly Socket _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly HashSet<StoreSocketConnection> _clients = [];
    private readonly Task _accepting;
    private bool _disposed;

    /// <summary>Begins to serve.</summary>
    /// <param name="server">The store; not owned.</param>
    /// <param name="path">Where the socket is to be; its folder is made, a socket that nobody serves any more is replaced.</param>
    /// <param name="eventBytes">Watch events that may wait for a client before it is disconnected. <b>Units</b>: bytes.</param>
    /// <exception cref="IOException">Another server lives there, something else than a socket is there, or it cannot be made.</exception>
    /// <exception cref="ArgumentException">The path is too long for a socket.</exception>
    public StoreSocketServer(StoreServer server, string path, int eventBytes = 4 * 1024 * 1024)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentException.ThrowIfNullOrEmpty(path);
        _server = server;
        EventBytes = eventBytes;
        Path = System.IO.Path.GetFullPath(path);
        if (Encoding.UTF8.GetByteCount(Path) > MaxPathLength)
            throw new ArgumentException($"the socket's path '{Path}' has more than {MaxPathLength} bytes; choose a shorter one.", nameof(path));
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        _lockFile = TakeLock(Path);
        try
        {
            RemoveStale(Path);
            _listener = Listen(Path);
        }
        catch
        {
            _lockFile.Dispose();
            throw;
        }

        _accepting = AcceptAsync();
    }

    /// <summary>Where the socket is.</summary>
    public string Path { get; }

    internal int EventBytes { get; }

    /// <summary>Ends all connections and removes the socket.</summary>
    public void Dispose()
    {
        StoreSocketConnection[] clients;
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            clients = [.. _clients];
        }

        _stop.Cancel();
        File.Delete(Path);
        _listener.Dispose();
        _accepting.GetAwaiter().GetResult();
        foreach (StoreSocketConnection client in clients)
            client.Stop();
        _lockFile.Dispose();
        _stop.Dispose();
    }

    internal void Forget(StoreSocketConnection client)
    {
        lock (_lock)
            _clients.Remove(client);
    }

    private static LockFile TakeLock(string path)
    {
        try
        {
            return LockFile.Take(path + ".lock");
        }
        catch (IOException e) when (e is not DirectoryNotFoundException)
        {
            throw new IOException($"another xenstore serves '{path}': {e.Message}", e);
        }
    }

    private static void RemoveStale(string path)
    {
        if (!File.Exists(path))
        {
            if (Directory.Exists(path))
                throw new IOException($"'{path}' is a folder, where the xenstore's socket should be.");
            return;
        }

        using (var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            try
            {
                probe.Connect(new UnixDomainSocketEndPoint(path));
                throw new IOException($"another xenstore serves '{path}'.");
            }
            catch (SocketException)
            {
                // Nobody answers.
            }
        }

        // A socket cannot be opened as a file; what can be is somebody's file.
        bool isFile = true;
        try
        {
            File.OpenHandle(path).Dispose();
        }
        catch (IOException)
        {
            isFile = false;
        }

        if (isFile)
            throw new IOException($"'{path}' is a file, where the xenstore's socket should be.");
        File.Delete(path);
    }

    private static Socket Listen(string path)
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));

            // Before it listens: until then nobody can connect.
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            listener.Listen(64);
            return listener;
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new IOException($"the xenstore's socket '{path}' cannot be made: {e.Message}.", e);
        }
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _listener.AcceptAsync(_stop.Token).ConfigureAwait(false);
                Begin(socket);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // The client is gone already, or this process has no descriptor left: later there may be one.
                await Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private void Begin(Socket socket)
    {
        lock (_lock)
        {
            if (_disposed || _clients.Count >= MaxClients)
            {
                socket.Dispose();
                return;
            }

            StoreSocketConnection client = _server.Connect(DomId.Dom0, domain => new StoreSocketConnection(_server, this, domain, socket));
            _clients.Add(client);
            client.Start();
        }
    }
}
