using System.Diagnostics;
using System.Globalization;
using Xen.Abi;
using Xen.XenStore;
using Xen.XenStore.Bench;

// Operations a second of the xenstore over its socket: one request, its answer, the next. A transaction is start, read, write and commit, of nodes
// that only one client uses; a watch is a write and the event of it. Arguments: seconds for each line (default 2).
double seconds = args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 2;
string folder = Directory.CreateTempSubdirectory("xsb").FullName;
using var server = new StoreServer();
using var sockets = new StoreSocketServer(server, Path.Combine(folder, "socket"));
(string Name, Action<BenchClient, int> Once)[] operations =
[
    ("read", static (c, i) => c.Ask(XenStoreMessageType.Read, 0, $"/bench/{i}/node\0")),
    ("write", static (c, i) => c.Ask(XenStoreMessageType.Write, 0, $"/bench/{i}/node\0value")),
    ("transaction", static (c, i) => c.Transact($"/bench/{i}/node")),
    ("watch", static (c, i) => c.WriteAndHear($"/bench/{i}/node")),
];

Console.WriteLine($"{"operation",-12} {"clients",8} {"ops/s",10}");
foreach ((string name, Action<BenchClient, int> once) in operations)
{
    foreach (int clients in (int[])[1, 32])
    {
        Measure(name == "watch", clients, once, 0.3);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-12} {clients,8} {Measure(name == "watch", clients, once, seconds),10:F0}"));
    }
}

sockets.Dispose();
Directory.Delete(folder, recursive: true);

double Measure(bool watches, int clients, Action<BenchClient, int> once, double time)
{
    long done = 0;
    var clock = Stopwatch.StartNew();
    Thread[] threads = [.. Enumerable.Range(0, clients).Select(i => new Thread(() =>
    {
        using var client = new BenchClient(sockets.Path);
        client.Ask(XenStoreMessageType.Write, 0, $"/bench/{i}/node\0value");
        if (watches)
            client.Ask(XenStoreMessageType.Watch, 0, $"/bench/{i}/node\0token\0");
        long count = 0;
        for (; clock.Elapsed.TotalSeconds < time; count++)
            once(client, i);
        Interlocked.Add(ref done, count);
    }))];
    foreach (Thread thread in threads)
        thread.Start();
    foreach (Thread thread in threads)
        thread.Join();
    return done / clock.Elapsed.TotalSeconds;
}
