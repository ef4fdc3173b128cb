using System.Globalization;
using Xen.XenStore;

namespace Xen.Toolstack;

/// <summary>Says that one service uses a folder: held by it, with its process's number inside, free again when it ends in whatever way.</summary>
public sealed class ServiceLock : IDisposable
{
    private readonly LockFile _file;

    private ServiceLock(LockFile file) => _file = file;

    /// <summary>The process that held the lock before and ended without giving it back (killed, or the host lost power); null: there was none.</summary>
    public int? DiedHolder { get; private init; }

    /// <summary>Takes the lock.</summary>
    /// <param name="path">The file that stands for it; removed again at the end.</param>
    /// <param name="variable">What names the folder, for messages.</param>
    /// <exception cref="ToolstackException">A running service has it, or the file cannot be made.</exception>
    public static ServiceLock Take(string path, string variable)
    {
        try
        {
            LockFile file = LockFile.Take(path);
            int? before = int.TryParse(file.Content, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
            file.Content = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
            return new ServiceLock(file) { DiedHolder = before };
        }
        catch (IOException e)
        {
            string folder = Path.GetDirectoryName(path) ?? "/";
            throw new ToolstackException($"another xend uses {folder}: xend stop ends it, and {variable} names another folder ({e.Message}).", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new ToolstackException($"{path} cannot be opened: {e.Message} Set {variable} to a folder of your own.", e);
        }
    }

    public void Dispose() => _file.Dispose();
}
