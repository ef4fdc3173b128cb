using Xen.Contract;

namespace Xen.Xm;

/// <summary>Configuration files, as the user names them.</summary>
internal static class ConfigFiles
{
    private const int MostBytes = 1 << 20;

    /// <summary>The file: in the current folder, or where configurations are kept.</summary>
    public static string Locate(XenPaths paths, string path)
    {
        if (File.Exists(path) || Path.IsPathRooted(path))
            return path;
        return paths.ConfigFolders.Select(folder => Path.Combine(folder, path)).FirstOrDefault(File.Exists) ?? path;
    }

    /// <summary>Its text.</summary>
    /// <exception cref="XmException">It cannot be read.</exception>
    public static async Task<string> ReadAsync(string path)
    {
        try
        {
            if (Directory.Exists(path))
                throw new XmException($"{path} is a folder: give a configuration file.");
            using FileStream stream = File.OpenRead(path);
            if (stream.Length > MostBytes)
                throw new XmException($"{path} has {stream.Length} bytes and is no configuration file: those have {MostBytes} at most.");
            using StreamReader reader = new(stream);
            return await reader.ReadToEndAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new XmException($"{path} does not exist: give the path of a configuration file, for example examples/debian.cfg.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new XmException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
