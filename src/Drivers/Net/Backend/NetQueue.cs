using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Backend;

/// <summary>
/// One pair of rings with their channels, and the thread that serves them: it sends what the guest transmits, and hands on what waited for
/// buffers. Events and the rate's timer wake it; it sleeps otherwise. Of the first queue it serves the control ring, too.
/// </summary>
internal sealed class NetQueue : IDisposable
{
    private readonly AutoResetEvent _wake = new(false);
    private readonly List<IDisposable> _held = [];
    private readonly Action<string> _fail;
    private TxPath? _tx;
    private RxPath? _rx;
    private ControlPath? _control;
    private ITimer? _timer;
    private Thread? _thread;
    private volatile bool _isStopping;

    private NetQueue(Action<string> fail) => _fail = fail;

    public NetCounters Counters { get; } = new();

    /// <summary>The way to the guest.</summary>
    public RxPath Rx => _rx!;

    /// <summary>Maps the rings and binds the channels of a queue; nothing is served before <see cref="Start"/>.</summary>
    /// <returns>Null, or what went wrong; then nothing is held.</returns>
    public static string? Open(XenbusBackendContext context, FrontendNodes nodes, int index, Connection connection, out NetQueue? queue)
    {
        NetQueue made = new(connection.Fail);
        string? error = made.OpenRings(context, nodes, index, connection);
        queue = error is null ? made : null;
        if (error is not null)
            made.Dispose();
        return error;
    }

    /// <summary>Lets the thread begin. There may be requests from before the first event, so it begins with a look.</summary>
    public void Start(string name)
    {
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>Adds the control ring.</summary>
    public string? OpenControl(XenbusBackendContext context, GrantRef ring, EvtchnPort port, FlowSteering steering)
    {
        IEventPort? events = null;
        string? error = Map(context, ring, NetifNodes.CtrlRingRef, out GrantedPages? pages) ?? Bind(context, port, NetifNodes.EventChannelCtrl, out events);
        if (error is not null)
            return error;
        _control = new ControlPath(context, BackRing<NetifControlRequest, NetifControlResponse>.Attach(pages!), events!, steering);
        return _control.Fault;
    }

    /// <summary>Stops serving: when it returns, no page of the guest is touched any more, and all is given back.</summary>
    public void Dispose()
    {
        _isStopping = true;
        _wake.Set();
        _thread?.Join();
        _rx?.Close();
        _timer?.Dispose();
        for (int i = _held.Count - 1; i >= 0; i--)
            _held[i].Dispose();
        _held.Clear();
        _wake.Dispose();
    }

    private string? OpenRings(XenbusBackendContext context, FrontendNodes nodes, int index, Connection connection)
    {
        QueueNodes refs = nodes.Queues[index];
        GrantedPages? rxPages = null;
        IEventPort? txEvents = null;
        string? error = Map(context, refs.TxRing, NetifNodes.TxRingRef, out GrantedPages? txPages)
            ?? Map(context, refs.RxRing, NetifNodes.RxRingRef, out rxPages)
            ?? Bind(context, refs.Tx, refs.IsSplit ? NetifNodes.EventChannelTx : NetifNodes.EventChannel, out txEvents);
        if (error is not null)
            return error;
        IEventPort? rxEvents = txEvents;
        if (refs.IsSplit && Bind(context, refs.Rx, NetifNodes.EventChannelRx, out rxEvents) is { } fault)
            return fault;
        var tx = BackRing<NetifTxRequest, NetifTxResponse>.Attach(txPages!, TxSlotSize);
        var rx = BackRing<NetifRxRequest, NetifRxResponse>.Attach(rxPages!);
        _tx = new TxPath(context, tx, txEvents!, connection.Port, connection.Multicast, connection.Bucket, Counters);
        _rx = new RxPath(context, nodes, rx, rxEvents!, connection.Options.QueueBytes, Counters);
        if (connection.Bucket is not null)
            _timer = connection.Options.Clock.CreateTimer(static queue => ((NetQueue)queue!).Wake(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        return (tx.Fault ?? rx.Fault) is { } broken ? string.Create(CultureInfo.InvariantCulture, $"queue {index}: {broken}") : null;
    }

    private const int TxSlotSize = 12;

    private string? Map(XenbusBackendContext context, GrantRef reference, string node, out GrantedPages? pages)
    {
        GrantStatus status = GrantedPages.TryMap(context.Grants, context.Frontend, [reference], readOnly: false, out pages, out _);
        if (status != GrantStatus.Okay)
            return $"{node} = {reference.Value} of {context.Frontend} cannot be mapped: {status}";
        _held.Add(pages!);
        return null;
    }

    private string? Bind(XenbusBackendContext context, EvtchnPort remote, string node, out IEventPort? events)
    {
        XenErrno error = context.Events.BindInterdomain(context.Frontend, remote, out events);
        if (error != XenErrno.OK)
            return $"{node} = {remote.Value} of {context.Frontend} cannot be bound: {error}";
        _held.Add(events!);
        events!.SetHandler(Wake);
        return null;
    }

    private void Wake()
    {
        // A timer or an event can come when the queue has just gone.
        if (_isStopping)
            return;
        try
        {
            _wake.Set();
        }
        catch (ObjectDisposedException)
        {
        }
    }

    private void Run()
    {
        while (!_isStopping)
        {
            TxRound round = _tx!.Work(out TimeSpan wait);
            _rx!.Drain();
            _control?.Work();
            string? fault = _tx.Fault ?? _rx.Fault ?? _control?.Fault;
            if (fault is not null)
            {
                _fail(fault);
                return;
            }

            if (round == TxRound.Throttled)
                _timer!.Change(wait, Timeout.InfiniteTimeSpan);
            if (round != TxRound.Busy)
                _wake.WaitOne();
        }
    }
}
