using Microsoft.AspNetCore.Connections;

namespace Xen.Service;

/// <summary>
/// Connections of one kind, such as those that nobody has vouched for yet. There may be so many of them; when another comes the oldest is aborted, so that who
/// floods us with such connections takes them from his own kind, and an ordinary client gets through.
/// </summary>
internal sealed class YoungestConnections(int most)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<ConnectionContext> _connections = [];

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return _connections.Count;
        }
    }

    public LinkedListNode<ConnectionContext> Enter(ConnectionContext connection)
    {
        ConnectionContext? oldest = null;
        LinkedListNode<ConnectionContext> node;
        lock (_lock)
        {
            if (_connections.Count == most)
            {
                oldest = _connections.First!.Value;
                _connections.RemoveFirst();
            }

            node = _connections.AddLast(connection);
        }

        oldest?.Abort(new ConnectionAbortedException("too many others of its kind want in."));
        return node;
    }

    /// <summary>It has ended, or is vouched for. May be said twice.</summary>
    public void Leave(LinkedListNode<ConnectionContext> node)
    {
        lock (_lock)
        {
            if (node.List is not null)
                _connections.Remove(node);
        }
    }
}
