using System.ComponentModel;
using System.Diagnostics;
using Xen.Abi;

namespace Xen.Drivers.Block.Storage;

/// <summary>
/// Copies of an image that cost nothing until they are written to: a reflink where the file system can (raw images), else a qcow2 image with
/// the other behind it.
/// </summary>
public static class ImageOverlay
{
    private const string Program = "qemu-img", Package = "qemu-utils";

    /// <summary>Makes a copy.</summary>
    /// <param name="image">The image that is copied; afterwards a qcow2 copy needs it as it is now, a reflink does not.</param>
    /// <param name="format">Its format, as in a disk's configuration.</param>
    /// <param name="pathWithoutExtension">Where the copy is to be: its format is appended.</param>
    /// <param name="overlay">The copy, and its format.</param>
    /// <returns>Null, or one sentence that says why not and what to do.</returns>
    public static string? Create(string image, string format, string pathWithoutExtension, out (string Path, string Format) overlay)
    {
        overlay = (pathWithoutExtension + ".raw", "raw");
        if (!File.Exists(image))
            return Directory.Exists(image) ? $"disk image {image} is a directory" : $"disk image {image} does not exist";
        if (format == "raw" && TryReflink(image, overlay.Path, out string? failure))
            return failure;
        overlay = (pathWithoutExtension + ".qcow2", "qcow2");
        return CreateQcow2(image, BlockStorage.QemuName(format), overlay.Path);
    }

    /// <returns>False: the file system cannot, or the image is no file of its.</returns>
    private static bool TryReflink(string image, string path, out string? failure)
    {
        failure = null;
        XenErrno errno = HostFile.Open(image, writable: false, exclusive: false, out HostFile? source);
        if (source is null)
        {
            failure = $"disk image {image} cannot be opened: {errno}";
            return true;
        }

        using (source)
        {
            if (source.LockForReading() != XenErrno.OK)
            {
                failure = $"disk image {image} is in use by another domain or program, which writes it";
                return true;
            }

            File.WriteAllBytes(path, []);
            HostFile.Open(path, writable: true, exclusive: false, out HostFile? copy);
            using (copy)
            {
                if (copy?.CloneFrom(source) == XenErrno.OK)
                    return true;
            }
        }

        File.Delete(path);
        return false;
    }

    private static string? CreateQcow2(string image, string? format, string path)
    {
        if (format is null)
            return $"the format of disk image {image} is not known";
        ProcessStartInfo start = new(Program, ["create", "-q", "-f", "qcow2", "-F", format, "-b", Path.GetFullPath(image), path])
        {
            RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true,
        };
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardInput.Close();
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            string said = process.StandardError.ReadToEnd();
            process.WaitForExit();
            _ = output.Result;
            if (said.Contains("lock", StringComparison.Ordinal) && process.ExitCode != 0)
                return $"disk image {image} is in use by another domain or program, which writes it";
            return process.ExitCode == 0 ? null : $"disk image {image} cannot be copied on write: {said.Trim().Split('\n')[^1].Replace(Program + ": ", "", StringComparison.Ordinal)}";
        }
        catch (Win32Exception)
        {
            return $"copying {image} on write needs the program {Program}, which is not here; install it (apt-get install {Package})";
        }
    }
}
