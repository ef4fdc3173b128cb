using System.Text.Json.Serialization;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>
/// A managed domain (<c>xm new</c>): its configuration as it was given, so that it means tomorrow what it meant then, and what lists show of it
/// while it is not running.
/// </summary>
internal sealed record DomainDefinition
{
    /// <summary>Of the layout of the file.</summary>
    public const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;

    public required Guid Uuid { get; init; }

    public required string Name { get; init; }

    /// <summary>The configuration's text, its file, and what was said on the command line.</summary>
    public required string Config { get; init; }

    public required string Source { get; init; }

    public required IReadOnlyList<string> Overrides { get; init; }

    /// <summary>Where relative paths begin.</summary>
    public required string WorkingFolder { get; init; }

    /// <summary>Disks that it would write are copied on write.</summary>
    public bool CopyOnWrite { get; init; }

    /// <summary><b>Units</b>: MiB.</summary>
    public required int MemoryMiB { get; init; }

    /// <summary><b>Units</b>: MiB.</summary>
    public required int MaxMemoryMiB { get; init; }

    public required int Vcpus { get; init; }

    public required int MaxVcpus { get; init; }

    public required int CpuWeight { get; init; }

    public required int CpuCap { get; init; }

    public required bool StartsWithXend { get; init; }

    /// <summary>What the domain is built from, as the files that it names are now.</summary>
    /// <param name="warnings">What a person should be told.</param>
    /// <exception cref="ToolstackException">It cannot be used any more, such as when its kernel is gone.</exception>
    public DomainConfig Read(out IReadOnlyList<string> warnings)
    {
        ConfigFile file = ConfigFile.Parse(Config, Source, [.. Overrides, "name=" + Name, $"uuid={Uuid:D}"], WorkingFolder);
        warnings = file.Warnings;
        DomainConfig config = DomainConfigReader.Read(file);
        return CopyOnWrite ? config.WithCopiedDisks() : config;
    }
}

/// <summary>How definitions are kept.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DomainDefinition))]
internal sealed partial class DefinitionJson : JsonSerializerContext;
