using System.Buffers.Binary;
using System.Net.Sockets;

namespace Xen.Service;

/// <summary>Who connected to a Unix socket, as the kernel says. <b>Source</b>: unix(7), SO_PEERCRED and SO_PEERGROUPS.</summary>
/// <param name="ProcessId">The process, which may have ended since; 0: one of another PID namespace.</param>
/// <param name="UserId">Its effective user when it connected.</param>
/// <param name="Groups">Its effective group, and its supplementary groups.</param>
internal sealed record PeerCredentials(int ProcessId, uint UserId, IReadOnlyList<uint> Groups)
{
    private const int SolSocket = 1, SoPeerCred = 17, SoPeerGroups = 59;

    /// <summary>Groups of a process: of most, and of any (NGROUPS_MAX).</summary>
    private const int UsualGroups = 256, MostGroups = 65536;

    /// <summary>Asks about a connected socket.</summary>
    /// <exception cref="SocketException">The kernel does not say.</exception>
    public static PeerCredentials Of(Socket socket)
    {
        // struct ucred { pid_t pid; uid_t uid; gid_t gid; }
        Span<byte> ucred = stackalloc byte[12];
        if (socket.GetRawSocketOption(SolSocket, SoPeerCred, ucred) != ucred.Length)
            throw new SocketException((int)SocketError.ProtocolOption);
        return new PeerCredentials(
            BinaryPrimitives.ReadInt32LittleEndian(ucred), BinaryPrimitives.ReadUInt32LittleEndian(ucred[4..]), [BinaryPrimitives.ReadUInt32LittleEndian(ucred[8..]), .. OtherGroups(socket)]);
    }

    private static uint[] OtherGroups(Socket socket)
    {
        byte[] room = new byte[UsualGroups * sizeof(uint)];
        int count;
        try
        {
            count = socket.GetRawSocketOption(SolSocket, SoPeerGroups, room) / sizeof(uint);
        }
        catch (SocketException)
        {
            // ERANGE: there are more. Any other error comes again.
            room = new byte[MostGroups * sizeof(uint)];
            count = socket.GetRawSocketOption(SolSocket, SoPeerGroups, room) / sizeof(uint);
        }

        uint[] groups = new uint[count];
        for (int i = 0; i < count; i++)
            groups[i] = BinaryPrimitives.ReadUInt32LittleEndian(room.AsSpan(i * sizeof(uint)));
        return groups;
    }
}
