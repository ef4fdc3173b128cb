using Grpc.Core;
using Grpc.Core.Interceptors;
using Xen.Contract;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>What goes wrong in a call becomes a status with a sentence for a person; nothing else of it leaves the process.</summary>
internal sealed class FaultInterceptor(XendLog log) : Interceptor
{
    /// <summary>The longest message. <b>Units</b>: characters.</summary>
    private const int MostMessage = 2000;

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            throw Translate(fault, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            throw Translate(fault, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            throw Translate(fault, context);
        }
    }

    private RpcException Translate(Exception fault, ServerCallContext context)
    {
        switch (fault)
        {
            case RpcException status:
                return status;
            case StoppingException:
                return Status(StatusCode.Unavailable, fault);
            case NotFoundException:
                return Status(StatusCode.NotFound, fault);
            case ArgumentException:
                return Status(StatusCode.InvalidArgument, fault);
            case ToolstackException:
                return Status(StatusCode.FailedPrecondition, fault);
        }

        // The client has left, in whatever way that shows.
        if (context.CancellationToken.IsCancellationRequested)
            return new RpcException(new Status(StatusCode.Cancelled, "the call was cancelled."));

        // Nothing else ends a call from this side.
        if (fault is OperationCanceledException)
            return new RpcException(new Status(StatusCode.Unavailable, "xend is stopping."));
        log.Write($"internal error in {context.Method}", fault);
        return new RpcException(new Status(StatusCode.Internal, $"internal error of xend ({fault.GetType().Name}): its log says more."));
    }

    /// <summary>The message may repeat what the client said, which may be long; it travels in a header.</summary>
    private static RpcException Status(StatusCode code, Exception fault) => new(new Status(code, PrintableText.Of(fault.Message, MostMessage, keepLines: true)));
}
