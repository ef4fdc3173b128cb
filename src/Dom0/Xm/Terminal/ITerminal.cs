namespace Xen.Xm;

/// <summary>A terminal that can be switched to pass every key on.</summary>
internal interface ITerminal
{
    /// <summary>Switches to raw mode: no echo, no line editing, no signals from keys.</summary>
    /// <returns>Disposing of it, once or more often, from any thread, switches back.</returns>
    IDisposable EnterRaw();
}
