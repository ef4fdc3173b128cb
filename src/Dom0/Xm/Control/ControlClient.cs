using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>A running domain, as another process describes it.</summary>
internal sealed record DomainLine(string Name, int Id, int MemoryMiB, int Vcpus, string State, double Seconds, string Socket)
{
    /// <summary>The line that <see cref="TryParse"/> reads.</summary>
    public static string Format(IRunningDomain domain)
    {
        DomainStatus status = domain.Status;
        return string.Join('\t', domain.Config.Name, Text(domain.Id), Text(status.MemoryMiB), Text(status.OnlineVcpus),
            Letters(status.State), status.CpuTime.TotalSeconds.ToString("F1", CultureInfo.InvariantCulture));
    }

    /// <summary>xm's six columns: running, blocked, paused, shut down, crashed, dying.</summary>
    public static string Letters(DomainState state)
    {
        const string letters = "rbpscd";
        return string.Concat(letters.Select((letter, bit) => ((int)state & (1 << bit)) != 0 ? letter : '-'));
    }

    public static DomainLine? TryParse(string line, string socket)
    {
        string[] fields = line.Trim('\n').Split('\t');
        return fields.Length == 6
            && int.TryParse(fields[1], CultureInfo.InvariantCulture, out int id)
            && int.TryParse(fields[2], CultureInfo.InvariantCulture, out int memory)
            && int.TryParse(fields[3], CultureInfo.InvariantCulture, out int vcpus)
            && double.TryParse(fields[5], CultureInfo.InvariantCulture, out double seconds)
            ? new DomainLine(fields[0], id, memory, vcpus, fields[4], seconds, socket)
            : null;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Asks the processes that run domains: the other end of <see cref="ControlServer"/>.</summary>
internal sealed class ControlClient(XmPaths paths)
{
    /// <summary>How long a process may take to say how its domain stands.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How long a request may take: some wait for the guest.</summary>
    private static readonly TimeSpan RequestPatience = TimeSpan.FromSeconds(70);

    private const int LongestAnswer = 16 << 20;

    private static ReadOnlySpan<byte> Granted => "ok\n"u8;

    /// <summary>All running domains, by name. A socket that nobody answers on does not count.</summary>
    public async Task<IReadOnlyList<DomainLine>> ListAsync()
    {
        if (!Directory.Exists(paths.RuntimeFolder))
            return [];
        List<DomainLine> lines = [];
        foreach (string socket in Directory.GetFiles(paths.RuntimeFolder, "*.sock").Order(StringComparer.Ordinal))
        {
            string? answer = await TryAskAsync(socket, "status", Patience).ConfigureAwait(false);
            if (answer is not null && DomainLine.TryParse(answer, socket) is { } line)
                lines.Add(line);
        }

        return lines;
    }

    /// <summary>The running domain of that name or number.</summary>
    /// <exception cref="ToolstackException">There is none, or the number is not unique.</exception>
    public async Task<DomainLine> FindAsync(string nameOrId)
    {
        IReadOnlyList<DomainLine> all = await ListAsync().ConfigureAwait(false);
        DomainLine[] found = int.TryParse(nameOrId, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            ? [.. all.Where(d => d.Id == id)]
            : [.. all.Where(d => d.Name == nameOrId)];
        return found.Length switch
        {
            1 => found[0],
            0 => throw new ToolstackException($"no domain '{nameOrId}' is running: xm list shows those that are."),
            _ => throw new ToolstackException($"{found.Length} domains have the number {nameOrId}, each on a machine of its own: use a name."),
        };
    }

    /// <summary>Sends a request to a domain's process.</summary>
    /// <exception cref="ToolstackException">It refused, or does not answer.</exception>
    public static async Task<string> AskAsync(DomainLine domain, string request) =>
        await TryAskAsync(domain.Socket, request, RequestPatience).ConfigureAwait(false)
            ?? throw Silent(domain);

    /// <summary>Connects to a console of a domain.</summary>
    /// <exception cref="ToolstackException">It was refused, or the process does not answer.</exception>
    public static async Task<RemoteConsole> OpenConsoleAsync(DomainLine domain, int number)
    {
        using CancellationTokenSource limit = new(Patience);
        Socket? socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(domain.Socket), limit.Token).ConfigureAwait(false);
            await socket.SendAsync(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"console\t{number}\n")), limit.Token).ConfigureAwait(false);

            // Not more than the answer: what follows is the console's.
            byte[] answer = new byte[Granted.Length];
            int length = 0, count;
            while (length < answer.Length && (count = await socket.ReceiveAsync(answer.AsMemory(length), limit.Token).ConfigureAwait(false)) > 0)
                length += count;
            if (answer.AsSpan(0, length).SequenceEqual(Granted))
            {
                var console = new RemoteConsole(socket);
                socket = null;
                return console;
            }

            string rest = Encoding.UTF8.GetString(answer, 0, length) + await ReadToEndAsync(socket, limit.Token).ConfigureAwait(false);
            if (rest.StartsWith("error\n", StringComparison.Ordinal))
                throw new ToolstackException(rest[6..]);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // No answer.
        }
        finally
        {
            socket?.Dispose();
        }

        throw Silent(domain);
    }

    private static ToolstackException Silent(DomainLine domain) =>
        new($"the process of domain '{domain.Name}' does not answer: has it just ended? Try xm list.");

    private static async Task<string?> TryAskAsync(string path, string request, TimeSpan patience)
    {
        using CancellationTokenSource limit = new(patience);
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        string answer;
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), limit.Token).ConfigureAwait(false);
            await socket.SendAsync(Encoding.UTF8.GetBytes(request + "\n"), limit.Token).ConfigureAwait(false);
            answer = await ReadToEndAsync(socket, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return null;
        }

        if (answer.StartsWith("ok\n", StringComparison.Ordinal))
            return answer[3..];
        return answer.StartsWith("error\n", StringComparison.Ordinal) ? throw new ToolstackException(answer[6..]) : null;
    }

    private static async Task<string> ReadToEndAsync(Socket socket, CancellationToken cancellation)
    {
        using MemoryStream all = new();
        byte[] buffer = new byte[16 * 1024];
        int count;
        while (all.Length < LongestAnswer && (count = await socket.ReceiveAsync(buffer, cancellation).ConfigureAwait(false)) > 0)
            all.Write(buffer, 0, count);
        return Encoding.UTF8.GetString(all.GetBuffer(), 0, (int)all.Length);
    }
}
