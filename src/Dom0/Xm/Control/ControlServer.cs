using System.Net.Sockets;
using System.Text;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>
/// Lets other terminals ask about the domain that this process runs. One request a connection: the client sends a line, the server
/// answers <c>ok</c> and text, or <c>error</c> and a sentence, and closes; or, where the request begins a session, what follows <c>ok</c> is the
/// session's, both ways. The folder is the user's own: who can connect, may.
/// </summary>
internal sealed class ControlServer : IAsyncDisposable
{
    /// <summary>Connections served at once; more wait in the socket's queue.</summary>
    private const int MostClients = 8;

    private const int LongestRequest = 8 * 1024;

    /// <summary>How long a client may take to say what it wants.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How long an answer may take: some wait for the guest.</summary>
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(60);

    /// <summary>How long sessions may take to say the last of what they have to say.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    private readonly Func<string, CancellationToken, Task<string>> _answer;
    private readonly Func<string, IControlSession?> _begin;
    private readonly string _path;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stopAccepting = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _room = new(MostClients);
    private readonly Task _accepting;

    /// <summary>Listens on a path; whoever holds the domain's lock may replace a socket that was left behind.</summary>
    /// <param name="path">The socket.</param>
    /// <param name="answer">Answers a request; may throw <see cref="ToolstackException"/>.</param>
    /// <param name="begin">Begins the session that a request asks for; null if it asks for none; may throw <see cref="ToolstackException"/>.</param>
    public ControlServer(string path, Func<string, CancellationToken, Task<string>> answer, Func<string, IControlSession?> begin)
    {
        _begin = begin;
        _answer = answer;
        _path = path;
        try
        {
            File.Delete(path);
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            _listener.Listen(MostClients);
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            _listener.Dispose();
            throw new ToolstackException($"the control socket {path} cannot be made: {e.Message} Set XEN_RUNTIME_DIR to a short path of your own.", e);
        }

        _accepting = AcceptAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopAccepting.CancelAsync().ConfigureAwait(false);
        _listener.Dispose();
        _stop.CancelAfter(LastWords);
        await _accepting.ConfigureAwait(false);
        File.Delete(_path);
        _stop.Dispose();
        _stopAccepting.Dispose();
        _room.Dispose();
    }

    private async Task AcceptAsync()
    {
        List<Task> serving = [];
        try
        {
            while (true)
            {
                await _room.WaitAsync(_stopAccepting.Token).ConfigureAwait(false);
                Socket client = await _listener.AcceptAsync(_stopAccepting.Token).ConfigureAwait(false);
                serving.RemoveAll(t => t.IsCompleted);
                serving.Add(ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // We stop.
        }

        await Task.WhenAll(serving).ConfigureAwait(false);
    }

    private async Task ServeAsync(Socket client)
    {
        bool hasRoom = true;
        try
        {
            using NetworkStream stream = new(client, ownsSocket: true);
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            limit.CancelAfter(Patience);
            string? request = await ReadLineAsync(stream, limit.Token).ConfigureAwait(false);
            limit.CancelAfter(AnswerPatience);
            if (request is null)
                return;
            (IControlSession? session, string? refusal) = Begin(request);
            using (session)
            {
                string answer = refusal ?? (session is not null ? "ok\n" : await AnswerAsync(request, limit.Token).ConfigureAwait(false));
                await stream.WriteAsync(Encoding.UTF8.GetBytes(answer), limit.Token).ConfigureAwait(false);
                if (session is null)
                    return;

                // A session may last: it takes nobody's place. There are no more of them than the domain has consoles.
                _room.Release();
                hasRoom = false;
                await session.RunAsync(stream, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // The client went away, or was too slow.
        }
        finally
        {
            if (hasRoom)
                _room.Release();
        }
    }

    private (IControlSession? Session, string? Refusal) Begin(string request)
    {
        try
        {
            return (_begin(request), null);
        }
        catch (ToolstackException e)
        {
            return (null, "error\n" + e.Message);
        }
    }

    private async Task<string> AnswerAsync(string request, CancellationToken cancellation)
    {
        try
        {
            return "ok\n" + await _answer(request, cancellation).ConfigureAwait(false);
        }
        catch (ToolstackException e)
        {
            return "error\n" + e.Message;
        }
    }

    private static async Task<string?> ReadLineAsync(NetworkStream stream, CancellationToken cancellation)
    {
        byte[] line = new byte[LongestRequest];
        for (int length = 0; length < line.Length;)
        {
            int count = await stream.ReadAsync(line.AsMemory(length), cancellation).ConfigureAwait(false);
            if (count == 0)
                return null;
            length += count;
            int end = line.AsSpan(0, length).IndexOf((byte)'\n');
            if (end >= 0)
                return Encoding.UTF8.GetString(line, 0, end);
        }

        return null;
    }
}
