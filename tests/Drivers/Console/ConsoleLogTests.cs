using System.Text;
using Xen.Drivers.Console;
using Xen.Drivers.Tests.Net;

namespace Xen.Drivers.Tests.Console;

/// <summary>A console's log on disks that are full, closed to us, or not disks.</summary>
public sealed class ConsoleLogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("xen-console-").FullName;
    private readonly FakeClock _clock = new();
    private readonly List<string> _told = [];

    private string LogPath => Path.Combine(_folder, "guest.log");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void FullDisk_IsToldOnce_TheGuestGoesOn_AndSoDoesTheLogWhenThereIsRoom()
    {
        bool isFull = true;

        // The kernel's own full disk.
        FileStream Open(string path) => isFull ? new FileStream("/dev/full", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 0) : ConsoleLog.Open(path);

        using ConsolePipe pipe = new(new ConsoleLog(LogPath, 1 << 20, _told.Add, _clock, Open));
        TestGuest guest = new();
        using ConsoleBackend backend = guest.Attach(pipe);
        for (int i = 0; i < 100; i++)
            Assert.Equal(1000, guest.Print(new string('a', 1000)));
        Assert.Null(backend.CloseReason);
        string sentence = Assert.Single(_told);
        Assert.Contains(LogPath + " cannot be written: ", sentence, StringComparison.Ordinal);
        Assert.Contains("No space left", sentence, StringComparison.Ordinal);

        _clock.Advance(ConsoleLog.Pause);
        guest.Print("still full");
        Assert.Single(_told);

        isFull = false;
        guest.Print("not yet tried");
        Assert.False(File.Exists(LogPath));
        _clock.Advance(ConsoleLog.Pause);
        guest.Print("room again");
        Assert.Equal("\n[100023 bytes are missing here: the log could not be written]\nroom again", File.ReadAllText(LogPath));
        Assert.Equal(2, _told.Count);
        Assert.Contains("is written again; 100023 bytes are missing", _told[1], StringComparison.Ordinal);
    }

    [Fact]
    public void FolderThatVanishes_AtTheRotation_IsTold()
    {
        string folder = Path.Combine(_folder, "inner");
        Directory.CreateDirectory(folder);
        using ConsoleLog log = new(Path.Combine(folder, "x.log"), 4096, _told.Add, _clock, ConsoleLog.Open);
        log.Write(new byte[4000]);
        Directory.Delete(folder, recursive: true);
        log.Write(new byte[4000]);
        Assert.Contains("cannot be written", Assert.Single(_told), StringComparison.Ordinal);
        Directory.CreateDirectory(folder);
        _clock.Advance(ConsoleLog.Pause);
        log.Write("back"u8);
        Assert.EndsWith("\nback", File.ReadAllText(Path.Combine(folder, "x.log")), StringComparison.Ordinal);
    }

    [Fact]
    public void Log_IsAppendedToAndIsTheOwnersAlone()
    {
        using (ConsoleLog log = new(LogPath))
            log.Write("one "u8);
        using (ConsoleLog log = new(LogPath))
            log.Write("two"u8);
        Assert.Equal("one two", File.ReadAllText(LogPath));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(LogPath));
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(10_000)]
    public void Log_NeverHasMoreThanTwiceItsSize_AndEndsWithTheLatest(int most)
    {
        using ConsoleLog log = new(LogPath, most);
        Random random = new(7);
        byte last = 0;
        for (int i = 0; i < 500; i++)
        {
            byte[] bytes = new byte[random.Next(1, 2049)];
            random.NextBytes(bytes);
            last = bytes[^1];
            log.Write(bytes);
            Assert.InRange(new FileInfo(LogPath).Length, 1, most);
        }

        Assert.InRange(new FileInfo(LogPath + ".1").Length, most - 2048, most);
        Assert.Equal(last, File.ReadAllBytes(LogPath)[^1]);
    }

    [Theory]
    [InlineData("/dev/null")]
    [InlineData("/dev/full")]
    [InlineData("/proc/nowhere/x.log")]
    [InlineData("/")]
    public void WhatIsNoFile_IsRefused(string path)
    {
        Exception refusal = Assert.ThrowsAny<Exception>(() => new ConsoleLog(path));
        Assert.True(refusal is IOException or UnauthorizedAccessException, refusal.ToString());
        File.CreateSymbolicLink(LogPath, path);
        refusal = Assert.ThrowsAny<Exception>(() => new ConsoleLog(LogPath));
        Assert.True(refusal is IOException or UnauthorizedAccessException, refusal.ToString());
        Assert.True(Encoding.UTF8.GetByteCount(refusal.Message) > 0);
    }
}
