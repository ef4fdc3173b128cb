using Xen.Abi;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Frontend;

/// <summary>A frontend's end of the control ring, with one request at a time. <b>Source</b>: io/netif.h, "Control requests".</summary>
public sealed class NetControl : IDisposable
{
    private readonly AutoResetEvent _answered = new(false);
    private readonly FrontPages _pages;
    private FrontRing<NetifControlRequest, NetifControlResponse>? _ring;
    private IEventPort? _channel;
    private ushort _id;

    private NetControl(XenbusFrontendContext context) => _pages = new FrontPages(context.Grants, context.Backend);

    /// <summary>A page for what does not fit into a request, granted to the backend as <see cref="DataReference"/>.</summary>
    public Span<byte> Data => _pages.Bytes(1);

    public GrantRef DataReference => _pages.Reference(1);

    internal IReadOnlyList<(string Name, uint Value)> Nodes { get; private set; } = [];

    /// <summary>Asks and waits for the answer.</summary>
    /// <param name="request">The request; its id is chosen here.</param>
    /// <param name="patience">How long to wait.</param>
    /// <param name="response">The answer.</param>
    /// <returns>False if none came in time, or the ring broke.</returns>
    public bool TryAsk(NetifControlRequest request, TimeSpan patience, out NetifControlResponse response)
    {
        response = default;
        request.Id = ++_id;
        if (!_ring!.TryPut(request))
            return false;
        if (_ring.Push())
            _channel!.Notify();
        while (!_ring.TryTake(out response))
        {
            if (_ring.Fault is not null || (!_ring.FinalCheckForResponses() && !_answered.WaitOne(patience)))
                return false;
        }

        return response.Id == request.Id && response.Type == request.Type;
    }

    public void Dispose()
    {
        _channel?.Dispose();
        _pages.Dispose();
    }

    internal static string? Open(XenbusFrontendContext context, out NetControl? control)
    {
        control = null;
        NetControl made = new(context);
        string? error = made._pages.Add(2, readOnly: false);
        XenErrno bound = context.Events.AllocateUnbound(context.Backend, out EvtchnPort port, out made._channel);
        if (bound != XenErrno.OK)
            error ??= $"no event channel for {NetifNodes.EventChannelCtrl}: {bound}";
        if (error is not null)
        {
            made.Dispose();
            return error;
        }

        made.Nodes = [(NetifNodes.CtrlRingRef, made._pages.Reference(0).Value), (NetifNodes.EventChannelCtrl, port.Value)];
        made._ring = FrontRing<NetifControlRequest, NetifControlResponse>.Initialise(new SharedPages(made._pages.Page(0)));
        made._channel!.SetHandler(() => made._answered.Set());
        control = made;
        return null;
    }
}
