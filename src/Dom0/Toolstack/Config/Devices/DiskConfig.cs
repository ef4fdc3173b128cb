namespace Xen.Toolstack;

/// <summary>One entry of <c>disk=</c>, checked. <b>Source</b>: xl-disk-configuration(5).</summary>
public sealed record DiskConfig
{
    /// <summary>The image or device: absolute path; empty for a CD-ROM drive without a medium.</summary>
    public required string Target { get; init; }

    /// <summary>How the image is laid out. Never guessed from its content: that would let a guest choose it.</summary>
    public DiskFormat Format { get; init; } = DiskFormat.Raw;

    /// <summary>The name of the guest's device, and its number.</summary>
    public required VirtualDisk Disk { get; init; }

    public DiskAccess Access { get; init; } = DiskAccess.ReadOnly;

    /// <summary>The guest sees a CD-ROM drive.</summary>
    public bool IsCdrom { get; init; }

    /// <summary>The guest may say which sectors it no longer needs.</summary>
    public bool Discard { get; init; } = true;

    /// <summary>How it is written in a configuration.</summary>
    public override string ToString() =>
        $"format={Format.ToString().ToLowerInvariant()},vdev={Disk.Name},access={AccessName},{(IsCdrom ? "devtype=cdrom," : "")}{(Discard ? "" : "no-discard,")}target={Target}";

    /// <summary>The access, as it is written in a configuration.</summary>
    public string AccessName => Access switch { DiskAccess.ReadOnly => "r", DiskAccess.ReadWrite => "w", DiskAccess.CopyOnWrite => "cow", _ => "w!" };
}

/// <summary>Layouts of an image.</summary>
public enum DiskFormat
{
    Raw,
    Qcow,
    Qcow2,
    Vhd,
    Qed,
}

/// <summary>What a guest may do with a disk, and others at the same time.</summary>
public enum DiskAccess
{
    /// <summary>Read; others may read, too.</summary>
    ReadOnly,

    /// <summary>Read and write, alone.</summary>
    ReadWrite,

    /// <summary>Read and write, although others do so at the same time (<c>w!</c>).</summary>
    Shared,

    /// <summary>Read and write; what is written goes to a copy of the domain's own, and the image stays as it is (<c>cow</c>). Others may do so and read, too.</summary>
    CopyOnWrite,
}
