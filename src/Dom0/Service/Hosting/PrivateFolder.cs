using Xen.Toolstack;

namespace Xen.Service;

/// <summary>Folders that nobody else can write to.</summary>
internal static class PrivateFolder
{
    private const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes one, or closes the one that is there to others.</summary>
    /// <param name="folder">Its path.</param>
    /// <param name="variable">What else would name it, for messages.</param>
    /// <exception cref="ToolstackException">It cannot be made, or is somebody else's.</exception>
    public static void Make(string folder, string variable)
    {
        try
        {
            DirectoryInfo made = Directory.CreateDirectory(folder, Mine);
            if (made.LinkTarget is not null)
                throw new ToolstackException($"{folder} is a symbolic link: remove it, or set {variable} to a folder of your own.");

            // In /tmp somebody else could have been there first; only the owner may close the folder to others.
            if ((made.UnixFileMode & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != 0)
                made.UnixFileMode = Mine;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ToolstackException($"the folder {folder} cannot be used: {e.Message} Set {variable} to a folder of your own.", e);
        }
    }
}
