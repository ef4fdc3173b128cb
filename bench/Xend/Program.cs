using System.Diagnostics;
using System.Globalization;
using Xen.Contract.V1;
using Xen.Xend.Bench;

// What managing domains costs, on a xend that runs: xm list as a whole process, creating a paused domain of 64 MiB in the service, and a hundred
// guests at once. Arguments: the folder of xm and xend, Debian's kernel, and how often each is done (default 30).
if (args.Length < 2)
{
    Console.Error.WriteLine("usage: Xen.Xend.Bench PROGRAMS KERNEL [COUNT]");
    return 2;
}

const int guests = 100;
int count = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 30;
using BenchXend xend = BenchXend.Start(args[0], 8192);
string idle = xend.WriteIdleKernel();
Console.WriteLine($"{"what",-44} {"median",9} {"slowest",9}");

Report("xm list, process, 0 guests", count, _ => xend.Xm("list"));
foreach ((string name, string kernel) in new[] { ("tiny kernel", idle), ("Debian's kernel", args[1]) })
{
    Domain? made = null;
    Report($"create paused, 64 MiB, {name}", count, _ => made = xend.Create("one", Path.GetFullPath(kernel), paused: true), () => xend.Destroy(made!));
}

long before = xend.ResidentMiB;
Report($"create and start, one after the other, {guests} guests", guests - 1, i => xend.Create($"tiny{i}", idle, paused: false));
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{$"memory of {guests} idle guests of 64 MiB",-44} {xend.ResidentMiB - before,5} MiB"));
Report($"xm list, process, {guests} guests", count, _ => xend.Xm("list"));
Report($"ListDomains, call, {guests} guests", count, _ => xend.Client.ListDomains(new ListDomainsRequest()));
return 0;

static void Report(string what, int count, Action<int> once, Action? after = null)
{
    var times = new List<double>();
    for (int i = 0; i <= count; i++)
    {
        long start = Stopwatch.GetTimestamp();
        once(i);
        double time = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        after?.Invoke();

        // The first does what is done once.
        if (i > 0)
            times.Add(time);
    }

    times.Sort();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-44} {times[times.Count / 2],6:F1} ms {times[^1],6:F1} ms"));
}
