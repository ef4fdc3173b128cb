using Microsoft.AspNetCore.Connections;

namespace Xen.Service;

/// <summary>How much of <see cref="ControlServer.MostConnections"/> those may have who are no operators, by whichever way they come, so that operators always get in.</summary>
internal sealed class ConnectionShares
{
    /// <summary>Connections of those who may do nothing.</summary>
    private const int MostStrangers = 16;

    /// <summary>Connections of those who may only read.</summary>
    internal const int MostReaders = ControlServer.MostConnections / 4;

    private readonly YoungestConnections _strangers = new(MostStrangers), _readers = new(MostReaders);

    /// <summary>Serves a connection whose <see cref="Caller"/> is known now.</summary>
    public async Task ServeAsync(ConnectionContext connection, Caller caller, ConnectionDelegate next)
    {
        connection.Features.Set(caller);
        YoungestConnections? share = caller.Role switch
        {
            Role.None => _strangers,
            Role.Reader => _readers,
            _ => null,
        };
        LinkedListNode<ConnectionContext>? node = share?.Enter(connection);
        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            if (node is not null)
                share!.Leave(node);
        }
    }
}
