using System.Globalization;
using System.Text;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Xen.Service;

/// <summary>Lets calls through that their caller may make, before anything of the request is read, and answers the others with PERMISSION_DENIED.</summary>
internal sealed class AccessGate(RefusalLog log)
{
    /// <summary>Calls of readers at once, all together.</summary>
    internal const int MostReading = 1024;

    private int _reading;

    public Task PassAsync(HttpContext context, RequestDelegate next)
    {
        var caller = Caller.Of(context);
        string path = context.Request.Path.Value ?? "";
        if (caller.Role == Role.None || caller.Role < CallAccess.Needed(path))
        {
            string reason = caller.Refusal(CallAccess.NameOf(path) ?? "a call that this xend does not know");
            log.Write(reason);
            return Refuse(context.Response, StatusCode.PermissionDenied, reason);
        }

        return caller.Role == Role.Operator ? next(context) : ReadAsync(context, next);
    }

    private async Task ReadAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            if (Interlocked.Increment(ref _reading) > MostReading)
                await Refuse(context.Response, StatusCode.ResourceExhausted, "there are too many calls of readers: ask again when some of them have ended.").ConfigureAwait(false);
            else
                await next(context).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _reading);
        }
    }

    private static Task Refuse(HttpResponse response, StatusCode status, string reason)
    {
        // A gRPC answer without a message: the status is in the headers.
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)status).ToString(CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = Encode(reason);
        return Task.CompletedTask;
    }

    /// <summary>
    /// Percent-encodes what is not printable ASCII, and the percent sign; no more than that, for not every client decodes more. <b>Source</b>: gRPC over HTTP/2,
    /// Percent-Encoded.
    /// </summary>
    internal static string Encode(string text)
    {
        var encoded = new StringBuilder(text.Length);
        foreach (byte unit in Encoding.UTF8.GetBytes(text))
        {
            if (unit is >= 0x20 and <= 0x7e and not (byte)'%')
                encoded.Append((char)unit);
            else
                encoded.Append(CultureInfo.InvariantCulture, $"%{unit:X2}");
        }

        return encoded.ToString();
    }
}
