using System.Diagnostics;
using Xen.Abi;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Frontend;
using Xen.Drivers.Block.Protocol;
using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Tests.Block;

/// <summary>Servers that hang hold up nobody but who waits for them, and servers are not left behind.</summary>
public sealed class HungServerTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200), Soon = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Disconnect_WithRequestsThatAreNeverAnswered_FailsThemAndReturns(bool reads)
    {
        using TempImage folder = new(0);
        using FakeNbdServer server = new(folder.InFolder("nbd"), shakesHands: true, reads);
        Assert.Null(NbdStorage.Connect(server.Path, "", readOnly: false, out NbdStorage? storage));
        using BlockPair pair = new(storage!, new BlockBackendOptions { StopPatience = Short });
        using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { MaxSegments = 256 });

        // More than the socket holds: so some are stuck in sending where the server does not read.
        Task<BlkifStatus>[] requests = [.. Enumerable.Range(0, 4).Select(_ => frontend.WriteAsync(0, new byte[1 << 20]))];
        Assert.True(server.Asked.Wait(Soon));

        // A device beside it goes on meanwhile.
        using BlockPair other = new(new FakeStorage());
        using BlockFrontend neighbour = other.Connect();
        Task closing = Task.Run(pair.Backend.Disconnect);
        Assert.Equal(BlkifStatus.Okay, await neighbour.WriteAsync(0, new byte[4096]).WaitAsync(Soon));
        await closing.WaitAsync(Soon);

        // Those that were begun were answered; those that were not are the frontend's to ask again elsewhere.
        Assert.Equal(BlkifStatus.Error, await await Task.WhenAny(requests).WaitAsync(Soon));
        frontend.Disconnect();
        Assert.All(await Task.WhenAll(requests).WaitAsync(Soon), status => Assert.Equal(BlkifStatus.Error, status));
        Assert.Contains(pair.Log, line => line.Contains("the storage does not answer", StringComparison.Ordinal));
        Assert.Equal(XenErrno.EIO, storage!.Flush());
        pair.AssertNothingHeld();
        other.Close(neighbour);
    }

    [Fact]
    public async Task Dispose_IsNotHeldUpByAServerThatDoesNotRead()
    {
        using TempImage folder = new(0);
        using FakeNbdServer server = new(folder.InFolder("nbd"), shakesHands: true, reads: false);
        Assert.Null(NbdStorage.Connect(server.Path, "", readOnly: false, out NbdStorage? storage));
        byte[] memory = GC.AllocateArray<byte>(1 << 20, pinned: true);
        Thread[] writers = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() => Assert.Equal(XenErrno.EIO, storage!.Write(0, [IoVector.Of(memory)]))))];
        Array.ForEach(writers, w => w.Start());
        Assert.True(server.Asked.Wait(Soon));
        await Task.Run(storage!.Dispose).WaitAsync(Soon);
        Assert.All(writers, w => Assert.True(w.Join(Soon)));
    }

    [Fact]
    public void Connect_ToAServerThatDoesNotAnswer_IsAnError()
    {
        using TempImage folder = new(0);
        using FakeNbdServer server = new(folder.InFolder("nbd"), shakesHands: false, reads: false);
        Assert.Equal($"NBD server at {server.Path}: it does not answer", NbdStorage.Connect(server.Path, "", false, 100, out NbdStorage? storage));
        Assert.Null(storage);
    }

    [Fact]
    public async Task Qemu_ThatIsStopped_IsEnded()
    {
        using TempImage folder = new(0);
        string path = Image(folder);
        Assert.Null(QemuImageStorage.Open(path, "qcow2", readOnly: false, out QemuImageStorage? storage));
        using Process server = Process.GetProcessById(storage!.ServerId);
        using (Process stop = Process.Start("kill", ["-STOP", server.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            stop.WaitForExit();
        byte[] memory = GC.AllocateArray<byte>(4096, pinned: true);
        Task<XenErrno> read = Task.Run(() => storage.Read(0, [IoVector.Of(memory)]));
        await Assert.ThrowsAsync<TimeoutException>(() => read.WaitAsync(Short));
        storage.Abort();
        Assert.Equal(XenErrno.EIO, await read.WaitAsync(Soon));
        await Task.Run(storage.Dispose).WaitAsync(Soon);
        Assert.True(server.WaitForExit(Soon));
    }

    [Fact]
    public void Qemu_EndsWithTheConnection_EvenWithoutAGoodbye()
    {
        using TempImage folder = new(0);
        Assert.Null(QemuImageStorage.Open(Image(folder), "qcow2", readOnly: false, out QemuImageStorage? storage));
        using Process server = Process.GetProcessById(storage!.ServerId);

        // The socket ends, as the kernel ends it for a process that is killed.
        storage.Abort();
        Assert.True(server.WaitForExit(Soon));
        storage.Dispose();
    }

    [Fact]
    public void Qemu_WithoutAConnection_EndsWithItsPipe_AndItsFolderGoes()
    {
        using TempImage folder = new(0);
        Assert.Null(QemuServer.Start(QemuServer.Program, Image(folder), "qcow2", readOnly: false, out QemuServer? server));
        string socket = server!.Socket;
        using Process process = Process.GetProcessById(server.Id);
        Assert.True(File.Exists(socket));
        server.Dispose();
        Assert.True(process.WaitForExit(Soon));
        Assert.False(Directory.Exists(Path.GetDirectoryName(socket)));
    }

    private static string Image(TempImage folder)
    {
        string path = folder.InFolder("disk.qcow2");
        using Process process = Process.Start("qemu-img", ["create", "-q", "-f", "qcow2", path, "8M"]);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return path;
    }
}
