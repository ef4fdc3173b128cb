namespace Xen.Drivers.Net.Network;

/// <summary>One vif's way into a switch.</summary>
/// <param name="owner">The switch.</param>
/// <param name="options">What its port lets through.</param>
/// <param name="released">Called once when the vif has gone.</param>
public sealed class SwitchPlug(LearningSwitch owner, SwitchPortOptions options, Action? released = null) : INetwork
{
    private int _disposed;

    /// <summary>The switch that this leads into.</summary>
    public LearningSwitch Switch => owner;

    /// <inheritdoc/>
    public string? Connect(INetStation station, out INetPort? port)
    {
        port = owner.Connect(station, options);
        return null;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            released?.Invoke();
    }
}
