using System.Text;
using Xen.Drivers.Console;

namespace Xen.Drivers.Tests.Console;

/// <summary>The console's backend, as a guest and a person at the terminal see it.</summary>
public sealed class ConsoleBackendTests
{
    private static CancellationToken None => CancellationToken.None;

    [Fact]
    public async Task Print_BeforeAndAfterAttaching_IsRead()
    {
        using ConsolePipe pipe = new();
        TestGuest guest = new();
        guest.Print("early ");
        using ConsoleBackend backend = guest.Attach(pipe);
        guest.Print("late");
        Assert.Equal("early late", await ReadAsync(pipe, 10));
        Assert.Equal((0u, 2), (guest.Unread, guest.Events.Notified));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(uint.MaxValue - 3)]
    [InlineData(uint.MaxValue - 2047)]
    public async Task Stream_AcrossTheIndexWrap_ArrivesWhole(uint start)
    {
        using ConsolePipe pipe = new();
        TestGuest guest = new(start);
        using ConsoleBackend backend = guest.Attach(pipe);
        byte[] sent = new byte[300_000];
        new Random(3).NextBytes(sent);
        int printed = 0;
        byte[] received = new byte[sent.Length];
        for (int got = 0; got < sent.Length;)
        {
            printed += guest.Print(sent.AsSpan(printed, Math.Min(1500, sent.Length - printed)));
            got += await pipe.ReadAsync(received.AsMemory(got), None);
        }

        Assert.Equal(sent, received);
        Assert.Equal(0, pipe.LostBytes);
    }

    [Fact]
    public async Task Print_WhileTheReaderIsSlow_StaysInTheRingAndNothingIsLost()
    {
        using ConsolePipe pipe = new();
        TestGuest guest = new();
        using ConsoleBackend backend = guest.Attach(pipe);
        guest.Print("x");
        await ReadAsync(pipe, 1);

        int printed = 0;
        for (int step; (step = guest.Print(new byte[1000])) > 0;)
            printed += step;
        Assert.Equal(ConsolePipe.OutputCapacity + 2048, printed);

        int notified = guest.Events.Notified;
        Assert.Equal(1000, await pipe.ReadAsync(new byte[1000], None));
        Assert.Equal(notified + 1, guest.Events.Notified);
        Assert.Equal(1048u, guest.Unread);
        Assert.Equal(printed - 1000, (await ReadAsync(pipe, printed - 1000)).Length);
        Assert.Equal(0, pipe.LostBytes);
    }

    [Fact]
    public async Task Print_WhileNobodyReads_NeverStallsAndTheLatestIsKept()
    {
        using ConsolePipe pipe = new();
        TestGuest guest = new();
        using ConsoleBackend backend = guest.Attach(pipe);
        for (int i = 0; i < 200; i++)
            Assert.Equal(1000, guest.Print(new string((char)('a' + (i % 26)), 1000)));
        Assert.Equal(200_000 - ConsolePipe.OutputCapacity, pipe.LostBytes);
        string kept = await ReadAsync(pipe, ConsolePipe.OutputCapacity);
        Assert.EndsWith(new string((char)('a' + (199 % 26)), 1000), kept, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_Cancelled_LetsAGuestGoOnThatWaitedForTheReader()
    {
        using ConsolePipe pipe = new();
        TestGuest guest = new();
        using ConsoleBackend backend = guest.Attach(pipe);
        using CancellationTokenSource cancel = new();
        Task<int> read = pipe.ReadAsync(new byte[10], cancel.Token).AsTask();
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        for (int i = 0; i < 100; i++)
            Assert.Equal(2000, guest.Print(new byte[2000]));
    }

    [Fact]
    public async Task Type_MoreThanTheRingHolds_ArrivesInOrderAsTheGuestReads()
    {
        using ConsolePipe pipe = new();
        TestGuest guest = new(uint.MaxValue - 3);
        using ConsoleBackend backend = guest.Attach(pipe);
        byte[] typed = new byte[20_000];
        new Random(5).NextBytes(typed);
        Task writing = pipe.WriteAsync(typed, None).AsTask();
        Assert.False(writing.IsCompleted);
        List<byte> taken = [];
        while (taken.Count < typed.Length)
        {
            byte[] some = guest.Take();
            if (some.Length == 0)
                await Task.Yield();
            taken.AddRange(some);
        }

        await writing;
        Assert.Equal(typed, taken);
    }

    [Fact]
    public async Task Type_BeforeTheGuestIsThere_WaitsForIt()
    {
        using ConsolePipe pipe = new();
        await pipe.WriteAsync("uname\n"u8.ToArray(), None);
        TestGuest guest = new();
        using ConsoleBackend backend = guest.Attach(pipe);
        Assert.Equal("uname\n"u8.ToArray(), guest.Take());
    }

    [Fact]
    public async Task Pipe_OutlivesTheDomain_AndServesTheNextOne()
    {
        using ConsolePipe pipe = new();
        TestGuest first = new(), second = new();
        ConsoleBackend backend = first.Attach(pipe);
        first.Print("one ");
        backend.Dispose();
        Assert.True(first.Page.IsDisposed && first.Events.IsDisposed);
        first.Events.Raise();
        using ConsoleBackend next = second.Attach(pipe);
        second.Print("two");
        Assert.Equal("one two", await ReadAsync(pipe, 7));
        pipe.End();
        Assert.Equal(0, await pipe.ReadAsync(new byte[10], None));
    }

    [Fact]
    public async Task End_WakesAWaitingReaderAndAWaitingWriter()
    {
        using ConsolePipe pipe = new();
        Task<int> read = pipe.ReadAsync(new byte[10], None).AsTask();
        Task write = pipe.WriteAsync(new byte[ConsolePipe.InputCapacity + 1], None).AsTask();
        Assert.False(read.IsCompleted || write.IsCompleted);
        pipe.End();
        Assert.Equal(0, await read);
        await write;
    }

    [Theory]
    [InlineData(2049u, true)]
    [InlineData(uint.MaxValue, true)]
    [InlineData(1u, false)]
    [InlineData(0x8000_0000u, false)]
    public async Task Hostile_BrokenIndices_CloseTheDeviceOnceWithAReason(uint ahead, bool output)
    {
        using ConsolePipe pipe = new();
        TestGuest guest = new();
        List<string> faults = [];
        using ConsoleBackend backend = guest.Attach(pipe, faults.Add);
        guest.Print("before");
        Assert.Equal("before", await ReadAsync(pipe, 6));
        if (output)
            guest.LieAboutOutput(ahead);
        else
            guest.LieAboutInput(ahead);
        guest.Print("after");
        string reason = Assert.Single(faults);
        Assert.StartsWith(output ? "console out ring: " : "console in ring: ", reason, StringComparison.Ordinal);
        Assert.Equal(reason, backend.CloseReason);
        pipe.End();
        Assert.Equal(0, await pipe.ReadAsync(new byte[10], None));
    }

    [Fact]
    public async Task Hostile_RandomIndices_NeverThrowAndNeverFloodTheReader()
    {
        Random random = new(11);
        for (int i = 0; i < 2_000; i++)
        {
            using ConsolePipe pipe = new();
            TestGuest guest = new();
            using ConsoleBackend backend = guest.Attach(pipe);
            for (int j = 0; j < 8; j++)
            {
                guest.Page[3072 + (4 * random.Next(4))] = random.Next(3) switch { 0 => (uint)random.Next(), 1 => (uint)random.Next(3000), _ => uint.MaxValue - (uint)random.Next(3000) };
                await pipe.WriteAsync(new byte[5], None);
                guest.Events.Raise();
            }

            backend.Dispose();
            pipe.End();
            int read = await pipe.ReadAsync(new byte[100_000], None);
            Assert.InRange(read, 0, 2048 * 18);
        }
    }

    [Fact]
    public void Log_IsBoundedAndKeepsTheFileBefore()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("xen-console-");
        try
        {
            string path = Path.Combine(folder.FullName, "guest.log");
            using ConsolePipe pipe = new(new ConsoleLog(path, mostBytes: 5000));
            TestGuest guest = new();
            using ConsoleBackend backend = guest.Attach(pipe);
            for (char c = 'a'; c < 'a' + 13; c++)
                guest.Print(new string(c, 1000));
            Assert.Equal("klm", Brief(File.ReadAllText(path)));
            Assert.Equal("fghij", Brief(File.ReadAllText(path + ".1")));
            Assert.Equal(2, folder.GetFiles().Length);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Brief(string text) => new([.. text.Distinct()]);

    private static async Task<string> ReadAsync(ConsolePipe pipe, int length)
    {
        byte[] bytes = new byte[length];
        for (int at = 0; at < length;)
            at += await pipe.ReadAsync(bytes.AsMemory(at), None);
        return Encoding.Latin1.GetString(bytes);
    }
}
