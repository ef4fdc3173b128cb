using Xen.Contract;

namespace Xen.Xm;

/// <summary>What a command has to do with the world: streams, terminal, folders, and how a xend is started. Tests give another.</summary>
internal sealed record XmContext
{
    /// <summary>What is typed, or piped in.</summary>
    public required Stream Input { get; init; }

    /// <summary>Where a guest's console goes, byte for byte.</summary>
    public required Stream Output { get; init; }

    /// <summary>Results, as text; the same place as <see cref="Output"/>.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Messages.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>The terminal behind <see cref="Input"/>, or null if that is a pipe or a file.</summary>
    public ITerminal? Terminal { get; init; }

    public required XenPaths Paths { get; init; }

    /// <summary>
    /// Starts a xend that outlives this command; completes when it answers. Fails with an <see cref="IOException"/> that says what it said. The argument: only
    /// to be asked, so that it does not start domains by itself.
    /// </summary>
    public required Func<bool, CancellationToken, Task> StartService { get; init; }

    /// <summary>The address that the environment names (XEN_CONNECT); null: the user's own xend.</summary>
    public string? PresetAddress { get; init; }

    /// <summary>The xend to work with, as the command line and the environment say; null: the user's own, by its Unix socket.</summary>
    public RemoteXend? Remote { get; set; }

    /// <summary>Ends what runs, as SIGTERM does.</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>A sentence for the person at the terminal.</summary>
    public void Say(string message) => Error.WriteLine("xm: " + message);
}
