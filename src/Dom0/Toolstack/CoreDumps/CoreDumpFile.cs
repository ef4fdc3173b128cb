namespace Xen.Toolstack;

/// <summary>Writes a core dump to its file: whole or not at all.</summary>
internal static class CoreDumpFile
{
    /// <summary>Writes it beside its place, and puts it there when it is complete. Only its owner may read it.</summary>
    /// <exception cref="ToolstackException">It cannot be written; nothing is left of it, and a file that was there before still is.</exception>
    public static void Write(CoreDump dump, string path, string domain)
    {
        string part = path + ".part";
        try
        {
            if (Directory.Exists(path) || (File.Exists(path) && File.GetAttributes(path).HasFlag(FileAttributes.Device)))
                throw new ToolstackException($"the core of domain '{domain}' cannot be written to {path}, which is no regular file: name another.");
            var options = new FileStreamOptions
            {
                Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.None, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            using (var file = new FileStream(part, options))
                dump.Write(file);
            File.Move(part, path, overwrite: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            TryDelete(part);
            throw new ToolstackException($"the core of domain '{domain}' cannot be written to {path}: {fault.Message.TrimEnd('.')}: make room for {dump.Length >> 20} MiB, or name another file.", fault);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // It was not ours, or cannot be had: what is told is why it could not be written.
        }
    }
}
