using System.Diagnostics;
using Xen.Abi;
using Xen.Drivers.Block.Protocol;
using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Block.Backend;

/// <summary>
/// Takes requests from a device's rings, does them on a few threads, and answers in whatever order they are done.
/// </summary>
/// <remarks>
/// <para>
/// One lock guards the rings, the slabs and the order of work; nothing is read, written or mapped while it is held. A worker that has nothing
/// to do asks the frontends for an event and waits. As long as one waits, every ring has asked for an event; when all are busy, none needs to:
/// each looks at the rings when it is done. So a busy device gets few events, and an idle worker learns of every request.
/// </para>
/// <para>
/// Requests are started in the order in which they were taken. A barrier starts when all before it are done, and nothing starts before it is.
/// A flush covers every write that was answered before the flush was taken; the writes under way beside it are not its concern.
/// </para>
/// </remarks>
internal sealed class RequestEngine
{
    /// <summary>A worker's stack; its calls are not deep. <b>Units</b>: bytes.</summary>
    private const int WorkerStack = 256 * 1024;

    /// <summary>A bad request weighs as much as this many good ones.</summary>
    private const int BadWeight = 8;

    private readonly object _gate = new();
    private readonly BlockQueue[] _queues;
    private readonly BlockCounters _counters;
    private readonly LimitedLog _log;
    private readonly Action<string> _fail;
    private readonly string _name;
    private readonly long _mostBadness;
    private readonly Thread[] _workers;

    // Guarded by the gate, all of them.
    private readonly Queue<PendingRequest> _ready;
    private BlockLimits _limits;
    private int _underWay;
    private int _waiting;
    private bool _barrierUnderWay;
    private bool _stopping;
    private long _badness;

    /// <summary>Why the device is broken: nothing more is taken.</summary>
    private string? _broken;

    /// <summary>What a worker has to say when it has left the gate.</summary>
    private string? _complaint;
    private bool _tellBroken;

    /// <summary>There is something to say; a look at it costs no lock.</summary>
    private volatile bool _toTell;

    public RequestEngine(
        string name,
        BlockQueue[] queues,
        BlockLimits limits,
        BlockBackendOptions options,
        BlockCounters counters,
        LimitedLog log,
        Action<string> fail,
        Func<RequestExecutor> makeExecutor)
    {
        _name = name;
        _queues = queues;
        _limits = limits;
        _counters = counters;
        _log = log;
        _fail = fail;
        _mostBadness = (long)options.MaxBadRequests * BadWeight;
        _ready = new Queue<PendingRequest>(queues.Sum(q => q.Ring.Size));
        _workers = new Thread[Math.Max(1, options.Workers)];
        for (int i = 0; i < _workers.Length; i++)
        {
            RequestExecutor executor = makeExecutor();
            _workers[i] = new Thread(() => Work(executor), WorkerStack) { Name = name, IsBackground = true };
        }
    }

    /// <summary>Begins; there may be requests already.</summary>
    public void Start()
    {
        foreach (BlockQueue queue in _queues)
            queue.Channel.SetHandler(Signal);
        foreach (Thread worker in _workers)
            worker.Start();
    }

    /// <summary>Waits for what is under way and ends the workers. What was taken and not begun is not answered.</summary>
    /// <param name="patience">How long to wait for what is under way.</param>
    /// <param name="abort">Called if that was not enough: makes it fail.</param>
    public void Stop(TimeSpan patience, Action abort)
    {
        foreach (BlockQueue queue in _queues)
            queue.Channel.SetHandler(null);
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }

        long start = Stopwatch.GetTimestamp();
        bool isDone = true;
        foreach (Thread worker in _workers)
        {
            TimeSpan left = patience - Stopwatch.GetElapsedTime(start);
            isDone = isDone && worker.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }

        if (isDone)
            return;
        _log.Always($"{_name}: the storage does not answer; requests under way fail, so that the device can be closed");
        abort();
        foreach (Thread worker in _workers)
            worker.Join();
    }

    /// <summary>The device has another size; requests that are taken from now on are checked against it.</summary>
    public void SetSize(ulong sectors)
    {
        lock (_gate)
            _limits = _limits with { Sectors = sectors };
    }

    /// <summary>A frontend's event. A worker that waits looks at the rings; those that do not wait will anyway.</summary>
    private void Signal()
    {
        lock (_gate)
        {
            if (_waiting > 0)
                Monitor.Pulse(_gate);
        }
    }

    private void Work(RequestExecutor executor)
    {
        while (Next(out PendingRequest? next))
        {
            Tell();
            if (next is null)
                continue;
            FinishedRequest outcome = executor.Execute(next);
            Explain(next, outcome);
            if (Finish(next, outcome))
                next.Queue.Channel.Notify();
        }

        Tell();
    }

    /// <summary>Waits for something to do.</summary>
    /// <param name="request">A request, or null: there is only something to tell.</param>
    /// <returns>False: the end.</returns>
    private bool Next(out PendingRequest? request)
    {
        request = null;
        lock (_gate)
        {
            while (!_stopping)
            {
                TakeAll(ask: _waiting > 0);
                if (TryStart(out request))
                    return true;

                // About to wait: now there has to be an event for the next request.
                if (TakeAll(ask: true))
                    continue;
                if (_toTell)
                    return true;
                _waiting++;
                Monitor.Wait(_gate);
                _waiting--;
            }

            return false;
        }
    }

    private bool TryStart(out PendingRequest? request)
    {
        request = null;
        if (_barrierUnderWay || !_ready.TryPeek(out PendingRequest? first))
            return false;
        bool isBarrier = first.Request.Operation == BlkifOperation.WriteBarrier;
        if (isBarrier && _underWay > 0)
            return false;
        request = _ready.Dequeue();
        _underWay++;
        _barrierUnderWay = isBarrier;
        if (_ready.Count > 0 && !isBarrier && _waiting > 0)
            Monitor.Pulse(_gate);
        return true;
    }

    /// <summary>Takes what is in the rings.</summary>
    /// <param name="ask">Ask for an event at the next request.</param>
    /// <returns>Whether there was anything.</returns>
    private bool TakeAll(bool ask)
    {
        bool any = false;
        foreach (BlockQueue queue in _queues)
        {
            do
            {
                while (_broken is null && queue.Ring.TryTake(out BlkifRequest wire))
                {
                    any = true;
                    Take(queue, wire);
                }
            }
            while (_broken is null && ask && queue.Ring.FinalCheckForRequests());
            if (queue.Ring.Fault is string fault)
                Break("ring: " + fault);
        }

        return any;
    }

    private void Take(BlockQueue queue, in BlkifRequest wire)
    {
        BlockFault fault = BlockRequestParser.Parse(wire, _limits, out BlockRequest request);
        if (fault != BlockFault.None)
        {
            if (_complaint is null && _log.IsOpen())
                (_complaint, _toTell) = (Describe(request, fault), true);
            if (Answer(queue, request, FinishedRequest.Bad(fault)))
                queue.Channel.Notify();
            return;
        }

        PendingRequest pending = queue.Free.Pop();
        pending.Request = request;
        pending.Limits = _limits;
        pending.TakenAt = Stopwatch.GetTimestamp();
        _ready.Enqueue(pending);
    }

    private bool Finish(PendingRequest pending, in FinishedRequest outcome)
    {
        lock (_gate)
        {
            _underWay--;
            if (pending.Request.Operation == BlkifOperation.WriteBarrier)
                _barrierUnderWay = false;
            pending.Queue.Free.Push(pending);
            if (outcome.Fault == BlockFault.None)
                _counters.LatencyOf(pending.Request.Operation)?.Add(pending.TakenAt);
            return Answer(pending.Queue, pending.Request, outcome);
        }
    }

    /// <summary>Puts the response; the gate is held.</summary>
    /// <returns>Whether the frontend wants to be told.</returns>
    private bool Answer(BlockQueue queue, in BlockRequest request, in FinishedRequest outcome)
    {
        _counters.Count(request, outcome);
        if (outcome.Fault == BlockFault.None)
            _badness = Math.Max(0, _badness - 1);
        else if ((_badness += BadWeight) > _mostBadness)
            Break($"too many malformed requests, the last one: {Describe(request, outcome.Fault)}");
        if (queue.Ring.IsFull)
            _counters.TimesFull++;
        queue.Ring.Put(new BlkifResponse { Id = request.Wire.Id, Operation = request.Operation, Status = outcome.Status });
        return queue.Ring.Push();
    }

    private void Break(string why)
    {
        if (_broken is not null)
            return;
        _broken = why;
        _tellBroken = _toTell = true;
    }

    /// <summary>Says what came up under the gate, outside of it.</summary>
    private void Tell()
    {
        if (!_toTell)
            return;
        string? complaint, broken;
        lock (_gate)
        {
            _toTell = false;
            complaint = _complaint;
            broken = _tellBroken ? _broken : null;
            _complaint = null;
            _tellBroken = false;
        }

        if (complaint is not null)
            _log.Say(complaint);
        if (broken is not null)
            _fail(broken);
    }

    private void Explain(PendingRequest pending, in FinishedRequest outcome)
    {
        if (outcome.Status == BlkifStatus.Okay || !_log.IsOpen())
            return;
        if (outcome.Fault != BlockFault.None)
            _log.Say(Describe(pending.Request, outcome.Fault));
        else
            _log.Say($"{_name}: {What(pending.Request)} failed: {Why(outcome.Errno)}");
    }

    private static string Why(XenErrno errno) => errno switch
    {
        XenErrno.ENODATA => "the image ends before it; it was truncated while the guest used it, and what was there is lost",
        XenErrno.ENOSPC => "no space left on the host's file system (ENOSPC)",
        XenErrno.EIO => "the host's storage reports an I/O error (EIO)",
        _ => errno.ToString(),
    };

    private string Describe(in BlockRequest request, BlockFault fault) => $"{_name}: bad request: {What(request)}: {fault}";

    private static string What(in BlockRequest request) =>
        $"{request.Operation} of {request.SectorCount} sectors at {request.Wire.SectorNumber} ({request.SegmentCount} segments)";
}
