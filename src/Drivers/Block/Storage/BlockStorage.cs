namespace Xen.Drivers.Block.Storage;

/// <summary>Opens what a disk's configuration names.</summary>
public static class BlockStorage
{
    /// <summary>Formats that have another name in qemu than in a disk's configuration, and those that have the same.</summary>
    private static readonly Dictionary<string, string> QemuFormats = new(StringComparer.Ordinal)
    {
        ["vhd"] = "vpc",
        ["vpc"] = "vpc",
        ["qcow"] = "qcow",
        ["qcow2"] = "qcow2",
        ["qed"] = "qed",
        ["vdi"] = "vdi",
        ["vhdx"] = "vhdx",
        ["vmdk"] = "vmdk",
    };

    /// <summary>What qemu calls a format of a disk's configuration; null if it is not known.</summary>
    internal static string? QemuName(string format) => format == "raw" ? format : QemuFormats.GetValueOrDefault(format);

    /// <summary>Opens an image. Its format is what the caller says: a guest that writes another format's magic to a raw disk gains nothing.</summary>
    /// <param name="target">The file or block device.</param>
    /// <param name="format">raw, qcow, qcow2, vhd, qed, vdi, vhdx, vmdk; null or empty is raw.</param>
    /// <param name="readOnly">It is only read.</param>
    /// <param name="shared">Others may write it, too (access w!).</param>
    /// <param name="storage">The storage.</param>
    /// <returns>Null, or one sentence that says why not and what to do.</returns>
    public static string? Open(string target, string? format, bool readOnly, bool shared, out IBlockStorage? storage)
    {
        storage = null;
        if (string.IsNullOrEmpty(target))
            return "the disk has no target: an image file or a block device";
        if (string.IsNullOrEmpty(format) || format == "raw")
        {
            string? error = RawFileStorage.Open(target, readOnly, shared, out RawFileStorage? raw);
            storage = raw;
            return error;
        }

        if (!QemuFormats.TryGetValue(format, out string? name))
            return $"disk format {format} of {target} is not known; there are raw, {string.Join(", ", QemuFormats.Keys.Order(StringComparer.Ordinal))}";
        if (shared && !readOnly)
            return $"disk image {target} cannot be shared for writing: two writers destroy a {format} image; access w! is for raw images";
        string? failure = QemuImageStorage.Open(target, name, readOnly, out QemuImageStorage? image);
        storage = image;
        return failure;
    }
}
