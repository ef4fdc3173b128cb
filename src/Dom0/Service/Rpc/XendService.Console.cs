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
        using ConsoleReader reader = hub.Join(history: !open.SkipHistory);

        // The headers tell the client that it is there.
        await context.WriteResponseHeadersAsync([]).ConfigureAwait(false);
        Task typing = CarryInputAsync(requestStream, hub, until.Token);
        try
        {
            byte[] buffer = new byte[ConsoleBufferBytes];
            while (true)
            {
                (int count, long lost) = await reader.ReadAsync(buffer, until.Token).ConfigureAwait(false);
                if (count == 0)
                    return;
                await responseStream.WriteAsync(new ConsoleOutput { Data = ByteString.CopyFrom(buffer, 0, count), Lost = lost }, until.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            await until.CancelAsync().ConfigureAwait(false);
            await typing.ConfigureAwait(false);
        }
    }

    private static async Task CarryInputAsync(IAsyncStreamReader<ConsoleInput> input, ConsoleHub hub, CancellationToken stop)
    {
        try
        {
            if (input.Current.Data.Length > 0)
                await hub.TypeAsync(input.Current.Data.Memory, stop).ConfigureAwait(false);
            while (await input.MoveNext(stop).ConfigureAwait(false))
                await hub.TypeAsync(input.Current.Data.Memory, stop).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or RpcException or InvalidOperationException)
        {
            // The client left, the domain ended, or we stop.
        }
    }
}
