using System.Buffers;

namespace Xen.Builder.Images;

/// <summary>Reads the files that a domain is built from, up to a limit.</summary>
public static class ImageFile
{
    /// <summary>Largest kernel or ramdisk file. <b>Units</b>: bytes.</summary>
    public const long MaxSize = 512L << 20;

    /// <summary>The whole content of a kernel or ramdisk file, which lasts until it is disposed of.</summary>
    /// <exception cref="ImageException">Missing, a directory, unreadable, empty or larger than <see cref="MaxSize"/>.</exception>
    public static IMemoryOwner<byte> Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            return ReadBounded(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ImageException(path, "there is no such file", "check the path", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new ImageException(path, "it may not be read", "check the file's permissions", e);
        }
        catch (Exception e) when (e is IOException or NotSupportedException or ArgumentException)
        {
            throw new ImageException(path, $"it cannot be read ({e.Message.TrimEnd('.')})", "check the path and its disk", e);
        }
    }

    private static ImageMemory ReadBounded(string path)
    {
        if (Directory.Exists(path))
        {
            throw new ImageException(path, "it is a directory", "name a file");
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1);
        if (!file.CanSeek)
        {
            throw new ImageException(path, "it is a pipe or a device", "name a regular file");
        }

        var length = file.Length;
        if (length == 0)
        {
            throw new ImageException(path, "the file is empty", "fetch or build it again");
        }

        if (length > MaxSize)
        {
            throw new ImageException(
                path, $"it has {length} bytes, more than the {MaxSize >> 20} MiB that are read", "name a kernel or ramdisk file");
        }

        var content = ImageMemory.Allocate(path, (int)length);
        try
        {
            file.ReadExactly(content.GetSpan());
            return content;
        }
        catch
        {
            content.Dispose();
            throw;
        }
    }
}
