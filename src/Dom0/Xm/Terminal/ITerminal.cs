namespace Xen.Xm;

/// <summary>A terminal that can be switched to pass every key on.</summary>
internal interface ITerminal
{
    /// <summary>Switches to raw mode: no echo, no line editing, no signals from keys.</summary>
    /// <returns>Disposing of it, once or more often, from any thread, switches back.</returns>
    IDisposable EnterRaw();

    /// <summary>How large the screen is that standard output is; null if that is no terminal.</summary>
    (int Columns, int Rows)? Size { get; }

    /// <summary>Tells of changes of the size, on a thread of the pool, until the result is disposed of.</summary>
    IDisposable OnResize(Action resized);
}
