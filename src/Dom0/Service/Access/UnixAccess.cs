using System.Globalization;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>
/// Who may do what over the Unix socket: the user who runs xend and root are operators, and so are the members of a group, if one is named; the members of another may
/// read. The modes of socket and folder keep most others away; what counts is what the kernel says of whoever connects.
/// </summary>
/// <param name="operators">The group whose members are operators, if any.</param>
/// <param name="readers">The group whose members may read, if any.</param>
/// <param name="shares">How many connections there may be of those who are no operators; null: of this way's own.</param>
internal sealed class UnixAccess(UnixGroup? operators, UnixGroup? readers, ConnectionShares? shares = null)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Group = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    private const UnixFileMode Everybody = Group | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private readonly uint _owner = UnixGroup.CurrentUser;
    private readonly ConnectionShares _shares = shares ?? new ConnectionShares();

    /// <summary>Lets the groups come to the folder.</summary>
    /// <exception cref="ToolstackException">It cannot be opened to them, or one that it is in is closed to them.</exception>
    public void OpenFolder(string folder)
    {
        if (Shared is null)
            return;
        DirectoryInfo own = new(folder);
        for (DirectoryInfo? above = own.Parent; above is not null; above = above.Parent)
        {
            if ((above.UnixFileMode & (UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) == 0)
                throw new ToolstackException($"{folder} is out of reach for the group '{Shared.Name}', for {above.FullName} is closed to it: set XEN_RUNTIME_DIR to another folder.");
        }

        if ((own.UnixFileMode & UnixFileMode.OtherExecute) != 0)
            return;
        if (OnlyOne)
            Shared.Own(folder);
        own.UnixFileMode |= OnlyOne ? UnixFileMode.GroupExecute : UnixFileMode.OtherExecute;
    }

    /// <summary>Gives the socket its group and mode. A file has one group: where there are two the kernel's word alone counts.</summary>
    public void OpenSocket(string socket)
    {
        if (OnlyOne)
            Shared!.Own(socket);
        File.SetUnixFileMode(socket, Shared is null ? OwnerOnly : OnlyOne ? Group : Everybody);
    }

    /// <summary>A connection middleware of the socket: recognises who connected.</summary>
    public ConnectionDelegate Recognise(ConnectionDelegate next) => connection =>
        _shares.ServeAsync(connection, Decide(connection.Features.Get<IConnectionSocketFeature>()?.Socket), next);

    /// <summary>What somebody may do.</summary>
    public Role RoleOf(PeerCredentials peer) =>
        peer.UserId == _owner || peer.UserId == 0 || IsIn(operators, peer) ? Role.Operator
        : IsIn(readers, peer) ? Role.Reader
        : Role.None;

    private UnixGroup? Shared => operators ?? readers;

    private bool OnlyOne => Shared is not null && (operators is null || readers is null);

    private Caller Decide(Socket? socket)
    {
        try
        {
            PeerCredentials peer = PeerCredentials.Of(socket ?? throw new SocketException((int)SocketError.NotSocket));
            return new Caller(RoleOf(peer), string.Create(CultureInfo.InvariantCulture, $"user {peer.UserId} (process {peer.ProcessId})"), Remedy());
        }
        catch (SocketException e)
        {
            return new Caller(Role.None, "a client of whom the kernel tells nothing", e.Message);
        }
    }

    private string Remedy()
    {
        string who = string.Create(CultureInfo.InvariantCulture, $"The user who runs it ({_owner}) and root may do everything");
        string members = operators is null ? "; xend --socket-group lets members of a group do so, too" : $", and so may members of the group '{operators.Name}'";
        return who + members + (readers is null ? "." : $"; members of '{readers.Name}' may read.");
    }

    private static bool IsIn(UnixGroup? group, PeerCredentials peer) => group is not null && peer.Groups.Contains(group.Id);
}
