using Google.Protobuf;
using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>A console of a domain, by way of xend.</summary>
internal sealed class RemoteConsole : IDisposable
{
    /// <summary>How long the guest may take for what was typed last.</summary>
    private static readonly TimeSpan LastInput = TimeSpan.FromSeconds(2);

    private readonly AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> _call;
    private ReadOnlyMemory<byte> _rest;

    private RemoteConsole(AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> call) => _call = call;

    /// <summary>Told how many bytes were lost because they were not read in time.</summary>
    public event Action<long>? Lost;

    /// <summary>Whether what is typed stays here. A terminal types by itself, too, when a guest asks it where its cursor is; a reader would be refused for that.</summary>
    public bool IsReadOnly { get; set; }

    /// <summary>Comes to a console. What it showed last is read first.</summary>
    /// <exception cref="RpcException">There is no such console.</exception>
    public static async Task<RemoteConsole> OpenAsync(Xend.XendClient client, string domain, int number)
    {
        AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> call = client.Console();
        try
        {
            await call.RequestStream.WriteAsync(new ConsoleInput { Open = new ConsoleOpen { Domain = domain, Number = number } }).ConfigureAwait(false);

            // The first message is empty: we are there.
            await call.ResponseStream.MoveNext(CancellationToken.None).ConfigureAwait(false);
            return new RemoteConsole(call);
        }
        catch
        {
            call.Dispose();
            throw;
        }
    }

    /// <summary>Reads what the guest wrote, waiting for the first byte.</summary>
    /// <returns>How many bytes; 0: the domain has ended.</returns>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        while (_rest.IsEmpty)
        {
            try
            {
                if (!await _call.ResponseStream.MoveNext(cancellation).ConfigureAwait(false))
                    return 0;
            }
            catch (RpcException fault) when (fault.StatusCode == StatusCode.Cancelled)
            {
                throw new OperationCanceledException(fault.Message, fault, cancellation);
            }

            if (_call.ResponseStream.Current.Lost > 0)
                Lost?.Invoke(_call.ResponseStream.Current.Lost);
            _rest = _call.ResponseStream.Current.Data.Memory;
        }

        int count = Math.Min(buffer.Length, _rest.Length);
        _rest[..count].CopyTo(buffer);
        _rest = _rest[count..];
        return count;
    }

    /// <summary>Types into the console. When the domain has ended it does nothing; reading says so.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        if (IsReadOnly)
            return;
        try
        {
            await _call.RequestStream.WriteAsync(new ConsoleInput { Data = ByteString.CopyFrom(bytes.Span) }, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            // The domain has ended.
        }
    }

    /// <summary>Says that nothing more is typed, and waits a while until what was is on its way: then reading ends.</summary>
    /// <param name="reading">Completes when there is nothing more to read.</param>
    public async Task FinishAsync(Task reading)
    {
        try
        {
            await _call.RequestStream.CompleteAsync().ConfigureAwait(false);
            await reading.WaitAsync(LastInput).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException or TimeoutException)
        {
            // The domain has ended, or its guest does not listen.
        }
    }

    public void Dispose() => _call.Dispose();
}
