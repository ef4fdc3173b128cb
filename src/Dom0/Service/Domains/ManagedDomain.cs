using Xen.Toolstack;

namespace Xen.Service;

/// <summary>A domain that xend runs, or ran: what clients know it by, and who is at its consoles.</summary>
internal sealed class ManagedDomain : IAsyncDisposable
{
    private readonly ConsoleHub[] _consoles;

    /// <param name="handle">Its number for as long as xend runs.</param>
    /// <param name="domain">Owned from now on.</param>
    public ManagedDomain(long handle, IRunningDomain domain)
    {
        Handle = handle;
        Domain = domain;
        _consoles = [.. domain.Consoles.Select(static console => new ConsoleHub(console))];
    }

    /// <summary>Stays the same over restarts; no other domain of this xend has it.</summary>
    public long Handle { get; }

    public IRunningDomain Domain { get; }

    /// <summary>What it is started from; null: from what is not kept.</summary>
    public Guid? Definition { get; init; }

    public string Name => Domain.Config.Name;

    /// <summary>How many consoles it has; they are numbered from 0.</summary>
    public int ConsoleCount => _consoles.Length;

    /// <summary>One of its consoles.</summary>
    /// <exception cref="NotFoundException">There is none of this number.</exception>
    public ConsoleHub Console(int number)
    {
        if (number >= 0 && number < _consoles.Length)
            return _consoles[number];
        string those = _consoles.Length == 1 ? "only console 0" : $"consoles 0 to {_consoles.Length - 1}";
        throw new NotFoundException($"domain '{Name}' has no console {number}, but {those}: console= in its configuration gives it more.");
    }

    /// <summary>Ends it; who is at a console sees the rest of it.</summary>
    public async ValueTask DisposeAsync()
    {
        Domain.Destroy();
        foreach (ConsoleHub hub in _consoles)
            await hub.DisposeAsync().ConfigureAwait(false);
        Domain.Dispose();
    }
}
