using Xen.XenStore;

namespace Xen.Toolstack;

/// <summary>A domain's name, held by the process that runs the domain; free again when that disposes of it or ends.</summary>
public sealed class DomainNameLock : IDisposable
{
    private readonly LockFile _file;

    private DomainNameLock(LockFile file) => _file = file;

    /// <summary>Takes a name.</summary>
    /// <param name="path">The file that stands for it; removed again at the end.</param>
    /// <param name="name">The name, for messages.</param>
    /// <exception cref="ToolstackException">Another process has it, or the file cannot be made.</exception>
    public static DomainNameLock Take(string path, string name)
    {
        try
        {
            return new DomainNameLock(LockFile.Take(path));
        }
        catch (IOException e)
        {
            throw new ToolstackException($"a domain named '{name}' is running already: xm destroy {name} ends it, and name=OTHER on the command line takes another name.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new ToolstackException($"{path} cannot be opened: {e.Message}", e);
        }
    }

    public void Dispose() => _file.Dispose();
}
