using Google.Protobuf;
using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Service;

/// <summary>Consoles: bytes both ways until the domain ends or the client leaves.</summary>
internal sealed partial class XendService
{
    private const int ConsoleBufferBytes = 16 * 1024;

    public override async Task Console(IAsyncStreamReader<ConsoleInput> requestStream, IServerStreamWriter<ConsoleOutput> responseStream, ServerCallContext context)
    {
        using CancellationTokenSource until = Until(context);
        if (!await requestStream.MoveNext(until.Token).ConfigureAwait(false) || requestStream.Current.Open is not { } open)
            throw new ArgumentException("the first message of a console must open it.");
        ConsoleHub hub = state.Domains.Find(open.Domain).Console(open.Number);
        Role role = Caller.Of(context.GetHttpContext()).Role;
        using IDisposable seat = seats.Take(hub, role);
        using ConsoleReader reader = hub.Join(history: !open.SkipHistory, holdsGuest: role == Role.Operator);

        // Tells the client that it is there.
        await responseStream.WriteAsync(new ConsoleOutput(), until.Token).ConfigureAwait(false);
        // Ends the waiting for more, and no message that is on its way: that would end the call without its status.
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(until.Token);
        Task<bool> typing = CarryInputAsync(requestStream, hub, context, leaving);
        try
        {
            byte[] buffer = new byte[ConsoleBufferBytes];
            while (true)
            {
                (int count, long lost) = await reader.ReadAsync(buffer, leaving.Token).ConfigureAwait(false);
                if (count == 0)
                    return;
                await responseStream.WriteAsync(new ConsoleOutput { Data = ByteString.CopyFrom(buffer, 0, count), Lost = lost }, until.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (typing.IsCompletedSuccessfully && typing.Result)
        {
            // The client has said that it leaves.
        }
        finally
        {
            await leaving.CancelAsync().ConfigureAwait(false);
            await typing.ConfigureAwait(false);
        }
    }

    /// <returns>Whether the client has completed its stream: it leaves, and all that it typed is on its way.</returns>
    /// <exception cref="RpcException">The client typed, and may only read: the call ends with this.</exception>
    private static async Task<bool> CarryInputAsync(IAsyncStreamReader<ConsoleInput> input, ConsoleHub hub, ServerCallContext context, CancellationTokenSource leaving)
    {
        CancellationToken stop = leaving.Token;
        try
        {
            do
            {
                if (input.Current.Data.IsEmpty)
                    continue;
                Caller.RequireOperator(context, "typing at a console");
                await hub.TypeAsync(input.Current.Data.Memory, stop).ConfigureAwait(false);
            }
            while (await input.MoveNext(stop).ConfigureAwait(false));

            leaving.CancelAfter(TimeSpan.Zero);
            return true;
        }
        catch (RpcException refused) when (refused.StatusCode == StatusCode.PermissionDenied)
        {
            leaving.CancelAfter(TimeSpan.Zero);
            throw;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or RpcException or InvalidOperationException)
        {
            // The client left without a word, the domain ended, or we stop.
            return false;
        }
    }
}
