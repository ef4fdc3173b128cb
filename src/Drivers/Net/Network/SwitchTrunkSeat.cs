using System.Net.Sockets;
using System.Text;

namespace Xen.Drivers.Net.Network;

/// <summary>Where the processes of a user meet for one bridge: names of files in a folder of his own.</summary>
internal sealed class SwitchTrunkPlace(string folder, string bridge)
{
    // sun_path has 108 bytes, the last of them zero.
    private const int LongestPath = 107;

    /// <summary>The hub's socket. Its name ends as no domain's socket does.</summary>
    public string Socket { get; } = Path.Combine(folder, $"bridge-{bridge}.trunk");

    /// <summary>Locked by the hub while it is that. It is never removed: who held a removed one could be a second hub.</summary>
    public string Lock => Socket + "-lock";

    /// <summary>The hub's socket until it is ready.</summary>
    public string Unready => Socket + "-new";

    /// <summary>Null, or one sentence that says why processes cannot meet there.</summary>
    public string? WhatIsWrong()
    {
        if (bridge.Length == 0 || !bridge.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
            return $"the bridge's name must be letters, digits or _ - ., and is '{bridge}'";
        if (Encoding.UTF8.GetByteCount(Unready) > LongestPath)
            return $"the path {Unready} is too long for a socket: at most {LongestPath} bytes";
        return Directory.Exists(folder) ? null : $"the folder {folder} for the socket of bridge {bridge} is not there";
    }
}

/// <summary>The hub's seat: whoever holds it listens, and nobody else of the same place does. Disposing it gives it up.</summary>
internal sealed class SwitchTrunkSeat : IDisposable
{
    private readonly SwitchTrunkPlace _place;
    private readonly FileStream _lock;
    private readonly Socket _listener;

    private SwitchTrunkSeat(SwitchTrunkPlace place, FileStream held, Socket listener) => (_place, _lock, _listener) = (place, held, listener);

    /// <summary>Takes the seat if it is free.</summary>
    /// <returns>Null if another has it, or the folder cannot be used.</returns>
    public static SwitchTrunkSeat? TryTake(SwitchTrunkPlace place)
    {
        FileStream? held = null;
        Socket? listener = null;
        try
        {
            // The kernel lets go of the lock when the process ends, however that is: the lock says whether a hub lives, not the socket's file.
            held = new FileStream(place.Lock, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            listener = Listen(place);
            return new SwitchTrunkSeat(place, held, listener);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            listener?.Dispose();
            held?.Dispose();
            return null;
        }
    }

    /// <summary>Connects to who has the seat.</summary>
    /// <returns>Null if nobody listens now.</returns>
    public static Socket? TryConnect(SwitchTrunkPlace place)
    {
        // A hub that does not accept must not hold us up.
        Socket socket = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(place.Socket));
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    /// <summary>Waits for the next who connects.</summary>
    /// <returns>Null if nobody can now, or <see cref="Stop"/> was called.</returns>
    public Socket? Accept()
    {
        try
        {
            return _listener.Accept();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>Ends <see cref="Accept"/>. Any thread.</summary>
    public void Stop() => _listener.Dispose();

    public void Dispose()
    {
        // While the lock is held the name is ours.
        TryDelete(_place.Socket);
        _listener.Dispose();
        _lock.Dispose();
    }

    private static Socket Listen(SwitchTrunkPlace place)
    {
        // What is left of a hub that died goes here, and where it was the new one appears at once, closed to others and listening.
        TryDelete(place.Unready);
        Socket socket = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(place.Unready));
            File.SetUnixFileMode(place.Unready, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen();
            File.Move(place.Unready, place.Socket, overwrite: true);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then it is in the way, and who binds there finds out.
        }
    }
}
