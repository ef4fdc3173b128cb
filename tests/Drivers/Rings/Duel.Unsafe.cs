using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Xen.Drivers.Tests.Rings;

/// <summary>Two threads on two processors that do one thing each at the same moment, again and again.</summary>
/// <param name="prepare">Before a round.</param>
/// <param name="push">Publishes; true if the other shall be notified.</param>
/// <param name="look">The last look before sleeping, on the other thread; true if it found something.</param>
/// <param name="after">After a round.</param>
internal sealed partial class Duel(Action prepare, Func<bool> push, Func<bool> look, Action after)
{
    /// <summary>How far before the moment both are told of it, and how far from it each may be. <b>Units</b>: ns.</summary>
    private const int Notice = 600, Spread = 250;

    // On a busy machine the two seldom run at the same time; then it takes longer to have enough rounds.
    private const int EnoughRounds = 50_000;
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(2), Most = TimeSpan.FromSeconds(30), UntilLost = TimeSpan.FromMinutes(2);

    private const int MaskSize = 1024;

    private long _moment;
    private int _done;
    private bool _found;

    /// <summary>Counts the rounds, and those in which neither the one was notified nor the other found.</summary>
    /// <param name="untilLost">Goes on until there is such a one, for a long time; else for some thousand rounds.</param>
    public (int Rounds, int Lost) Fight(bool untilLost = false)
    {
        int[] processors = Processors();
        Thread looker = new(() => RunOn(processors[^1], Look));
        looker.Start();
        (int Rounds, int Lost) result = default;
        Thread pusher = new(() => RunOn(processors[0], () => result = PushAll(untilLost)));
        pusher.Start();
        pusher.Join();
        looker.Join();
        return result;
    }

    private (int Rounds, int Lost) PushAll(bool untilLost)
    {
        Random random = new(1);
        long start = Stopwatch.GetTimestamp();
        int round = 0, lost = 0;
        for (TimeSpan spent = default; untilLost ? lost == 0 && spent < UntilLost : spent < Least || (round < EnoughRounds && spent < Most); spent = Stopwatch.GetElapsedTime(start))
        {
            prepare();
            long moment = Stopwatch.GetTimestamp() + Ticks(Notice);
            Volatile.Write(ref _moment, moment);
            WaitUntil(moment + random.Next(Ticks(Spread)));
            bool notified = push();
            round++;
            for (int spins = 1; Volatile.Read(ref _done) != round; spins++)
                YieldNowAndThen(spins);
            lost += notified || _found ? 0 : 1;
            after();
        }

        Volatile.Write(ref _moment, -1);
        return (round, lost);
    }

    private void Look()
    {
        Random random = new(2);
        for (long last = 0; ;)
        {
            long moment;
            for (int spins = 1; (moment = Volatile.Read(ref _moment)) == last; spins++)
                YieldNowAndThen(spins);
            if (moment < 0)
                return;
            last = moment;
            WaitUntil(moment + random.Next(Ticks(Spread)));
            _found = look();
            Volatile.Write(ref _done, _done + 1);
        }
    }

    private static int Ticks(int nanoseconds) => (int)(nanoseconds * Stopwatch.Frequency / 1_000_000_000);

    private static void WaitUntil(long moment)
    {
        while (Stopwatch.GetTimestamp() < moment)
        {
        }
    }

    /// <summary>A thread that sleeps misses the race, so they spin; but the other may need the processor.</summary>
    private static void YieldNowAndThen(int spins)
    {
        if (spins % 65536 == 0)
            Thread.Yield();
    }

    /// <summary>The processors that this process may use.</summary>
    private static unsafe int[] Processors()
    {
        // SAFETY: the call fills at most the given number of bytes; what it leaves is zero.
        byte* mask = stackalloc byte[MaskSize];
        new Span<byte>(mask, MaskSize).Clear();
        if (sched_getaffinity(0, MaskSize, mask) != 0)
            return [0];
        List<int> processors = [];
        for (int i = 0; i < MaskSize * 8; i++)
        {
            if (((mask[i / 8] >> (i % 8)) & 1) != 0)
                processors.Add(i);
        }

        return [.. processors];
    }

    /// <summary>Runs on one processor; where that is not permitted, anywhere.</summary>
    private static unsafe void RunOn(int processor, Action action)
    {
        // SAFETY: the call reads the given number of bytes, all of them set; processor is a bit that was found in as many.
        byte* mask = stackalloc byte[MaskSize];
        new Span<byte>(mask, MaskSize).Clear();
        mask[processor / 8] = (byte)(1 << (processor % 8));
        _ = sched_setaffinity(0, MaskSize, mask);
        action();
    }

    [LibraryImport("libc")]
    private static unsafe partial int sched_getaffinity(int thread, nuint size, byte* mask);

    [LibraryImport("libc")]
    private static unsafe partial int sched_setaffinity(int thread, nuint size, byte* mask);
}
