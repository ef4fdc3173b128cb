using System.Net.Sockets;
using System.Text;

namespace Xen.Service;

/// <summary>Tells systemd how the service stands, where it started us so. <b>Source</b>: sd_notify(3).</summary>
internal static class SystemdNotify
{
    /// <param name="state">Such as <c>READY=1</c>.</param>
    public static void Send(string state)
    {
        string? path = Environment.GetEnvironmentVariable("NOTIFY_SOCKET");
        if (string.IsNullOrEmpty(path))
            return;
        try
        {
            // A name that begins with @ is an abstract one.
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.SendTo(Encoding.UTF8.GetBytes(state), new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
        }
        catch (SocketException)
        {
            // Then nobody waits for it.
        }
    }
}
