using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Lock files that come and go.</summary>
public sealed class LockFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("xen-lock-").FullName;

    private string LockPath => Path.Combine(_folder, "x.lock");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Take_IsForOne_AndDisposalLeavesNothing()
    {
        LockFile held = LockFile.Take(LockPath);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(LockPath));
        Assert.Throws<IOException>(() => LockFile.Take(LockPath));
        Assert.True(File.Exists(LockPath));
        held.Dispose();
        held.Dispose();
        Assert.Empty(Directory.GetFiles(_folder));
        LockFile.Take(LockPath).Dispose();
    }

    [Fact]
    public void Take_OfAFileThatAKilledProcessLeft_TakesItOver()
    {
        File.WriteAllText(LockPath, "");
        using LockFile held = LockFile.Take(LockPath);
        Assert.Throws<IOException>(() => LockFile.Take(LockPath));
    }

    /// <summary>The race itself: a lock on a file that was removed between open and lock is no lock.</summary>
    [Fact]
    public void HasName_TellsAFileThatWasRemoved_AlsoWhenAnotherHasItsNameNow()
    {
        using FileStream file = LockFile.Open(LockPath);
        Assert.True(LockFile.HasName(file));
        File.Delete(LockPath);
        Assert.False(LockFile.HasName(file));
        using FileStream next = LockFile.Open(LockPath);
        Assert.False(LockFile.HasName(file));
        Assert.True(LockFile.HasName(next));
    }

    [Fact]
    public void Race_OfTakersAndGivers_NeverTwoAtATime()
    {
        int inside = 0, most = 0, taken = 0;
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            while (Volatile.Read(ref taken) < 2000)
            {
                try
                {
                    using LockFile held = LockFile.Take(LockPath);
                    int now = Interlocked.Increment(ref inside);
                    InterlockedMax(ref most, now);
                    Thread.Yield();
                    Interlocked.Decrement(ref inside);
                    Interlocked.Increment(ref taken);
                }
                catch (IOException)
                {
                    // Somebody has it.
                }
            }
        }))];
        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        Assert.Equal(1, most);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (int seen = Volatile.Read(ref target); value > seen;)
        {
            int now = Interlocked.CompareExchange(ref target, value, seen);
            if (now == seen)
                return;
            seen = now;
        }
    }
}
