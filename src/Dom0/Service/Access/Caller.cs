using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Xen.Service;

/// <summary>Who is at the other end of a connection. Decided once, when it is made, and a feature of it from then on.</summary>
/// <param name="Role">What it may do.</param>
/// <param name="Name">Who that is, for logs and messages.</param>
/// <param name="Remedy">A sentence on who may do more, or anything at all.</param>
internal sealed record Caller(Role Role, string Name, string Remedy)
{
    /// <summary>What nobody has decided about may do nothing.</summary>
    private static readonly Caller Unknown = new(Role.None, "an unknown client", "This is a fault of xend.");

    public static Caller Of(HttpContext context) => context.Features.Get<Caller>() ?? Unknown;

    /// <summary>Refuses a part of a reading call that changes something.</summary>
    /// <param name="context">The call.</param>
    /// <param name="what">The part, as in "<c>typing</c> is for operators".</param>
    /// <exception cref="RpcException">The client is no operator.</exception>
    public static void RequireOperator(ServerCallContext context, string what)
    {
        Caller caller = Of(context.GetHttpContext());
        if (caller.Role != Role.Operator)
            throw new RpcException(new Status(StatusCode.PermissionDenied, caller.Refusal(what)));
    }

    /// <summary>The sentence that says why it may not.</summary>
    public string Refusal(string what) => Role == Role.None
        ? $"{Name} may not use this xend. {Remedy}"
        : $"{Name} may only read, and {what} is for operators. {Remedy}";
}
