using System.Threading.Channels;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>Somebody at a domain's console, from another process: bytes go both ways until the domain ends or they leave.</summary>
/// <remarks>
/// A client that does not read holds the guest up at this console, and only there; one that leaves lets it go on. What was typed and the guest
/// does not take waits here, up to a bound, so that it is noticed when the client leaves.
/// </remarks>
internal sealed class ConsoleRelay : IControlSession
{
    private const int BufferBytes = 4 * 1024;

    /// <summary>How many pieces of what was typed may wait.</summary>
    private const int MostWaiting = 16;

    /// <summary>How long the guest may take for what was typed last.</summary>
    private static readonly TimeSpan LastInput = TimeSpan.FromSeconds(2);

    private readonly IDomainConsole _console;
    private readonly IDisposable _hold;

    private ConsoleRelay(IDomainConsole console, IDisposable hold) => (_console, _hold) = (console, hold);

    /// <summary>Takes a console of a domain.</summary>
    /// <exception cref="ToolstackException">There is none of this number, or somebody has it.</exception>
    public static ConsoleRelay Take(IRunningDomain domain, int number)
    {
        string name = domain.Config.Name;
        if (number < 0 || number >= domain.Consoles.Count)
            throw new ToolstackException($"domain '{name}' has no console {number}, but {Describe(domain.Consoles.Count)}: console= in its configuration gives it more.");
        IDomainConsole console = domain.Consoles[number];
        IDisposable? hold = console.TryTake();
        return hold is not null
            ? new ConsoleRelay(console, hold)
            : throw new ToolstackException($"console {number} of domain '{name}' is in use: leave it there (Ctrl-]), or take another with -n.");
    }

    public async Task RunAsync(Stream stream, CancellationToken stop)
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task input = CarryInputAsync(stream, leave);
        try
        {
            byte[] buffer = new byte[BufferBytes];
            int count;
            while ((count = await _console.ReadAsync(buffer, leave.Token).ConfigureAwait(false)) > 0)
                await stream.WriteAsync(buffer.AsMemory(0, count), leave.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client left, or we stop.
        }

        await leave.CancelAsync().ConfigureAwait(false);
        await input.ConfigureAwait(false);
    }

    public void Dispose() => _hold.Dispose();

    private static string Describe(int count) => count == 1 ? "only console 0" : $"consoles 0 to {count - 1}";

    private async Task CarryInputAsync(Stream stream, CancellationTokenSource leave)
    {
        var typed = Channel.CreateBounded<byte[]>(MostWaiting);
        Task typing = TypeAsync(typed.Reader, leave.Token);
        try
        {
            byte[] buffer = new byte[BufferBytes];
            int count;
            while ((count = await stream.ReadAsync(buffer, leave.Token).ConfigureAwait(false)) > 0)
                await typed.Writer.WriteAsync(buffer[..count], leave.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client left, or we stop.
        }

        typed.Writer.Complete();
        try
        {
            await typing.WaitAsync(LastInput, leave.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // The guest does not listen.
        }

        await leave.CancelAsync().ConfigureAwait(false);
        await typing.ConfigureAwait(false);
    }

    private async Task TypeAsync(ChannelReader<byte[]> typed, CancellationToken stop)
    {
        try
        {
            await foreach (byte[] bytes in typed.ReadAllAsync(stop).ConfigureAwait(false))
                await _console.WriteAsync(bytes, stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Nobody types any more.
        }
    }
}
