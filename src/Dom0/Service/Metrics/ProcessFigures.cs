using System.Diagnostics;
using System.Globalization;

namespace Xen.Service;

/// <summary>What this process uses of the host.</summary>
/// <param name="CpuSeconds">User and system time. <b>Units</b>: seconds.</param>
/// <param name="ResidentBytes">Memory of the host that it has, guests' memory that was written to included. <b>Units</b>: bytes.</param>
/// <param name="OpenDescriptors">File descriptors that are open; null if the host does not say.</param>
/// <param name="MostDescriptors">How many may be; null if that is not limited, or the host does not say.</param>
/// <param name="StartSeconds">When it started. <b>Units</b>: seconds since 1970, UTC.</param>
internal sealed record ProcessFigures(double CpuSeconds, long ResidentBytes, int? OpenDescriptors, long? MostDescriptors, double StartSeconds)
{
    private const string LimitName = "Max open files";

    /// <summary>Of this moment.</summary>
    public static ProcessFigures Read()
    {
        using Process self = Process.GetCurrentProcess();
        double started = (self.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds;
        (int? open, long? most) = ReadDescriptors();
        return new ProcessFigures(Environment.CpuUsage.TotalTime.TotalSeconds, Environment.WorkingSet, open, most, started);
    }

    private static (int? Open, long? Most) ReadDescriptors()
    {
        try
        {
            string? limit = File.ReadLines("/proc/self/limits").FirstOrDefault(static line => line.StartsWith(LimitName, StringComparison.Ordinal));
            string? soft = limit?[LimitName.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();

            // One of them is that by which they are counted.
            int open = Directory.EnumerateFileSystemEntries("/proc/self/fd").Count() - 1;
            return (open, long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long most) ? most : null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, null);
        }
    }
}
