using Grpc.Core;
using Xen.Dom0.Tests.Xm;
using Xen.Service;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Service;

/// <summary>Who a console's guest waits for, and how many may be there.</summary>
public sealed class ConsoleHubTests
{
    /// <summary>Far more than may wait for anybody.</summary>
    private const int Much = 8 << 20;

    [Fact]
    public async Task Guest_WaitsForNobodyWhoMayOnlyLook()
    {
        var console = new EndlessConsole();
        var hub = new ConsoleHub(console);
        using ConsoleReader reader = hub.Join(history: false, holdsGuest: false);

        // It takes a little now and then, so that it never looks as if it had left.
        byte[] buffer = new byte[16 * 1024];
        long lost = 0;
        while (lost == 0)
            (_, lost) = await reader.ReadAsync(buffer, CancellationToken.None).AsTask().WaitAsync(RunningXend.Patience);
        await console.WhenWrittenAsync(Much);
        await console.EndAsync(hub);
    }

    [Fact]
    public async Task Guest_WaitsForAnOperator_WhoeverElseLooks()
    {
        var console = new EndlessConsole();
        var hub = new ConsoleHub(console);
        using ConsoleReader looking = hub.Join(history: false, holdsGuest: false), working = hub.Join(history: false);
        byte[] buffer = new byte[64 * 1024];
        long read = 0;
        while (read < Much)
        {
            (int count, long lost) = await working.ReadAsync(buffer, CancellationToken.None).AsTask().WaitAsync(RunningXend.Patience);
            Assert.Equal(0, lost);
            read += count;
        }

        await console.EndAsync(hub);
    }

    [Fact]
    public void Operators_FindAPlace_WhereReadersDoNot()
    {
        var seats = new ConsoleSeats();
        ConsoleHub[] hubs = [.. Enumerable.Range(0, 10).Select(static _ => new ConsoleHub(new FakeConsole()))];
        List<IDisposable> taken = [];
        for (int i = 0; i < ConsoleSeats.MostAtOne / 2; i++)
            taken.Add(seats.Take(hubs[0], Role.Reader));
        Assert.Contains("32 readers at this console already", Refusal(seats, hubs[0], Role.Reader), StringComparison.Ordinal);
        for (int i = 0; i < ConsoleSeats.MostAtOne / 2; i++)
            taken.Add(seats.Take(hubs[0], Role.Operator));
        Assert.Contains("64 clients at this console already", Refusal(seats, hubs[0], Role.Operator), StringComparison.Ordinal);

        for (int i = taken.Count; i < ConsoleSeats.MostAtOne + (ConsoleSeats.MostInAll / 2) - 32; i++)
            taken.Add(seats.Take(hubs[1 + (i % 9)], Role.Reader));
        Assert.Contains("128 readers at the consoles of this xend", Refusal(seats, hubs[1], Role.Reader), StringComparison.Ordinal);
        taken.Add(seats.Take(hubs[1], Role.Operator));

        // Each place is left once, however often that is said.
        taken[0].Dispose();
        taken[0].Dispose();
        taken.Add(seats.Take(hubs[0], Role.Reader));
        Refusal(seats, hubs[0], Role.Reader);
    }

    private static string Refusal(ConsoleSeats seats, ConsoleHub hub, Role role)
    {
        RpcException fault = Assert.Throws<RpcException>(() => seats.Take(hub, role));
        Assert.Equal(StatusCode.ResourceExhausted, fault.StatusCode);
        return fault.Status.Detail;
    }

    /// <summary>A guest that has always something more to say.</summary>
    private sealed class EndlessConsole : IDomainConsole
    {
        private readonly Lock _lock = new();
        private readonly TaskCompletionSource _much = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _written, _awaited = long.MaxValue;
        private bool _ended;

        public IDisposable? TryTake() => null;

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
        {
            lock (_lock)
            {
                if (_ended)
                    return ValueTask.FromResult(0);
                _written += buffer.Length;
                if (_written >= _awaited)
                    _much.TrySetResult();
                return ValueTask.FromResult(buffer.Length);
            }
        }

        public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) => ValueTask.CompletedTask;

        public Task WhenWrittenAsync(long more)
        {
            lock (_lock)
                _awaited = _written + more;
            return _much.Task.WaitAsync(RunningXend.Patience);
        }

        public async Task EndAsync(ConsoleHub hub)
        {
            lock (_lock)
                _ended = true;
            await hub.DisposeAsync();
        }
    }
}
