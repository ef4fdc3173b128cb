using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>A group of the system's users.</summary>
internal sealed partial record UnixGroup(string Name, uint Id)
{
    private const int OutOfRoom = 34, MostRoom = 1 << 20;

    /// <summary>Our effective user.</summary>
    public static uint CurrentUser => geteuid();

    /// <summary>Looks one up, where the system looks (nsswitch.conf).</summary>
    /// <param name="name">Its name, or its number.</param>
    /// <exception cref="ToolstackException">There is none.</exception>
    public static unsafe UnixGroup Find(string name)
    {
        if (uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number != uint.MaxValue)
            return new UnixGroup(name, number);

        // struct group { char *gr_name; char *gr_passwd; gid_t gr_gid; char **gr_mem; }
        Span<byte> group = stackalloc byte[32];
        for (int room = 4096; room <= MostRoom; room *= 4)
        {
            byte[] strings = new byte[room];
            int error;
            nint found;
            // SAFETY: both buffers are pinned for the call and as large as it is told; of what it writes only the number is read, which is no pointer.
            fixed (byte* at = group, text = strings)
                error = getgrnam_r(name, at, text, (nuint)room, &found);
            if (error == OutOfRoom)
                continue;
            if (found != 0)
                return new UnixGroup(name, BinaryPrimitives.ReadUInt32LittleEndian(group[16..]));
            break;
        }

        throw new ToolstackException($"there is no group '{name}': getent group lists those of this system.");
    }

    /// <summary>Gives a file to the group.</summary>
    /// <exception cref="ToolstackException">We are no member of it.</exception>
    public void Own(string path)
    {
        if (chown(path, uint.MaxValue, Id) != 0)
            throw new ToolstackException($"{path} cannot be given to the group '{Name}': {Marshal.GetLastPInvokeErrorMessage()}; the user who runs xend must be a member of it, or root.");
    }

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chown(string path, uint owner, uint group);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int getgrnam_r(string name, byte* group, byte* strings, nuint room, nint* found);
}
