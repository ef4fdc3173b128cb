using System.Globalization;
using Xen.Drivers.Console;

namespace Xen.Toolstack;

/// <summary>One entry of <c>console=</c>, checked. The first is the console that a domain starts with, the others are devices.</summary>
public sealed record ConsoleConfig
{
    /// <summary>Most consoles of a domain: Linux has terminals hvc0 to hvc7. <b>Source</b>: drivers/tty/hvc of Linux.</summary>
    public const int Most = 8;

    /// <summary>Whether what the guest prints is also kept in a file.</summary>
    public bool IsLogged { get; init; }

    /// <summary>That file's absolute path; null: the usual one, <c>console/guest-NAME-N.log</c> in the folder for logs.</summary>
    public string? LogPath { get; init; }

    /// <summary>When the file is put aside and begun anew. <b>Units</b>: bytes.</summary>
    public long LogBytes { get; init; } = ConsoleLog.PresetBytes;

    /// <summary>What the guest finds in the node <c>name</c>, or null.</summary>
    public string? Name { get; init; }

    /// <summary>How it is written in a configuration.</summary>
    public override string ToString() => string.Join(',', new[]
    {
        !IsLogged ? null : LogPath is null ? "log" : "log=" + LogPath,
        LogBytes == ConsoleLog.PresetBytes ? null : "log_size=" + LogBytes.ToString(CultureInfo.InvariantCulture),
        Name is null ? null : "name=" + Name,
    }.Where(part => part is not null));
}
