using System.Globalization;
using System.Text;
using Xen.Drivers.Block.Storage;

namespace Xen.Toolstack;

/// <summary>
/// What domains have written to disks that are copied on write: a folder for each domain, named by its UUID, a file for each disk. It lives as long
/// as the domain does, over restarts; that of a managed domain until that is forgotten.
/// </summary>
/// <param name="folder">The folders; null: there is no place for them, and such disks are refused.</param>
internal sealed class DiskOverlays(string? folder)
{
    /// <summary>What a copy was made of, as it was then.</summary>
    private const string BaseExtension = ".base";

    /// <summary>The image that the domain writes to, in place of the one that is copied; made if it is not there yet.</summary>
    /// <exception cref="ToolstackException">It cannot be made, or the image behind it has changed since.</exception>
    public DiskConfig Open(Guid domain, DiskConfig disk)
    {
        if (disk.Access != DiskAccess.CopyOnWrite)
            return disk;
        if (folder is null)
            throw new ToolstackException($"the disk {disk.Disk.Name} cannot be copied on write: this machine has no place for what is written.");
        string own = FolderOf(domain), stem = Path.Combine(own, disk.Disk.Name);
        try
        {
            Directory.CreateDirectory(own, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            DiskFormat? there = new[] { DiskFormat.Raw, DiskFormat.Qcow2 }.Cast<DiskFormat?>().FirstOrDefault(format => File.Exists(PathOf(stem, format!.Value)));
            if (there is not null && !IsCopyOf(stem, disk.Target))
            {
                // What was here was another image's, which the domain has given back.
                File.Delete(PathOf(stem, there.Value));
                there = null;
            }

            there ??= Make(stem, disk);
            if (there == DiskFormat.Qcow2 && File.ReadAllText(stem + BaseExtension) != Describe(disk.Target))
            {
                throw new ToolstackException(
                    $"{disk.Target} has changed since '{disk.Disk.Name}' was copied from it, so that what was written fits no more: undo the change, or delete the domain.");
            }

            return disk with { Target = PathOf(stem, there.Value), Format = there.Value, Access = DiskAccess.ReadWrite };
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ToolstackException($"the disk {disk.Disk.Name} cannot be copied on write: {fault.Message}", fault);
        }
    }

    /// <summary>Removes what a domain has written.</summary>
    public void Forget(Guid domain)
    {
        if (folder is null || !Directory.Exists(FolderOf(domain)))
            return;
        try
        {
            Directory.Delete(FolderOf(domain), recursive: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The next machine of this user tries again.
        }
    }

    /// <summary>Removes what was written by domains that are not to be kept and do not run.</summary>
    public void ForgetOthers(IReadOnlySet<Guid> kept, DomainNames running)
    {
        if (folder is null || !Directory.Exists(folder))
            return;
        foreach (string path in Directory.EnumerateDirectories(folder).ToList())
        {
            if (Guid.TryParseExact(Path.GetFileName(path), "D", out Guid domain) && !kept.Contains(domain) && !running.Has(domain))
                Forget(domain);
        }
    }

    private static DiskFormat Make(string stem, DiskConfig disk)
    {
        string before = Describe(disk.Target), unfinished = stem + ".new";
        foreach (string old in (string[])[unfinished + ".raw", unfinished + ".qcow2"])
            File.Delete(old);
        string? fault = ImageOverlay.Create(disk.Target, disk.Format.ToString().ToLowerInvariant(), unfinished, out (string Path, string Format) made);
        if (fault is not null)
            throw new ToolstackException(fault.TrimEnd('.') + ".");
        DiskFormat format = made.Format == "raw" ? DiskFormat.Raw : DiskFormat.Qcow2;
        DurableFile.Write(stem + BaseExtension, Encoding.UTF8.GetBytes(before));
        File.Move(made.Path, PathOf(stem, format));
        DurableFile.SyncFolder(Path.GetDirectoryName(stem)!);
        return format;
    }

    private static bool IsCopyOf(string stem, string image) =>
        File.Exists(stem + BaseExtension) && File.ReadAllText(stem + BaseExtension) is var text && (text.Length == 0 || text.StartsWith(image + "\n", StringComparison.Ordinal));

    private static string Describe(string image)
    {
        var file = new FileInfo(image);
        return file.Exists ? string.Create(CultureInfo.InvariantCulture, $"{image}\n{file.Length}\n{file.LastWriteTimeUtc.Ticks}\n") : "";
    }

    private static string PathOf(string stem, DiskFormat format) => stem + (format == DiskFormat.Raw ? ".raw" : ".qcow2");

    private string FolderOf(Guid domain) => Path.Combine(folder!, domain.ToString("D"));
}
