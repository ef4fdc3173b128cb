using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Xen.Drivers.Net.Network;

/// <summary>A TAP device of the host: what is written to it the host receives, what the host sends is read. <b>Source</b>: linux/if_tun.h.</summary>
internal sealed partial class TapDevice : IDisposable
{
    /// <summary>struct virtio_net_hdr, before every frame. <b>Units</b>: bytes.</summary>
    public const int HeaderSize = 10;

    private const int NotPermitted = 1, AccessDenied = 13, Interrupted = 4, WouldBlock = 11;
    private const int OpenReadWrite = 2, OpenNonblock = 0x800, OpenCloexec = 0x80000;
    private const ulong TunSetInterface = 0x400454CA, TunSetOffload = 0x400454D0;
    private const ulong GetIndex = 0x8933, GetFlags = 0x8913, SetFlags = 0x8914, SetMtu = 0x8922, AddToBridge = 0x89A2;
    private const int TapWithHeader = 0x0002 | 0x1000 | 0x4000;
    private const uint OffloadCsumTso4Tso6 = 1 | 2 | 4;
    private const int FlagUp = 1;
    private const int NameSize = 16, RequestSize = 40;
    private const int AfInet = 2, SockDatagram = 2;
    private const short PollIn = 1;

    private readonly SafeFileHandle _tap;
    private readonly SafeFileHandle _stop;

    private TapDevice(SafeFileHandle tap, SafeFileHandle stop, string name) => (_tap, _stop, Name) = (tap, stop, name);

    public string Name { get; }

    /// <summary>Makes the device, brings it up, and adds it to a bridge.</summary>
    /// <param name="name">Its name, such as vif3.0.</param>
    /// <param name="bridge">The host's bridge, or null.</param>
    /// <param name="mtu">The longest packet.</param>
    /// <param name="device">The device, or null.</param>
    /// <returns>Null, or one sentence that says what went wrong and what to do.</returns>
    public static string? Open(string name, string? bridge, int? mtu, out TapDevice? device)
    {
        device = null;
        if (name.Length is 0 or >= NameSize || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'))
            return $"'{name}' is no name for a TAP device: 1 to 15 letters, digits, dots and dashes";
        SafeFileHandle tap = new(open("/dev/net/tun", OpenReadWrite | OpenNonblock | OpenCloexec), ownsHandle: true);
        if (tap.IsInvalid)
            return Error("/dev/net/tun cannot be opened");
        SafeFileHandle stop = new(eventfd(0, OpenCloexec | OpenNonblock), ownsHandle: true);
        TapDevice made = new(tap, stop, name);
        string? error = stop.IsInvalid ? Error("no event descriptor") : made.SetUp(bridge, mtu);
        if (error is null)
            device = made;
        else
            made.Dispose();
        return error;
    }

    /// <summary>Whether this process may make TAP devices and change bridges: CAP_NET_ADMIN.</summary>
    public static bool IsPermitted()
    {
        const int NetAdmin = 12;
        string? line = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith("CapEff:", StringComparison.Ordinal));
        return line is not null
            && ulong.TryParse(line.AsSpan(7).Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong capabilities)
            && (capabilities & (1UL << NetAdmin)) != 0
            && File.Exists("/dev/net/tun");
    }

    /// <summary>Writes a frame with its header. A device that is full or down loses it, as a wire does.</summary>
    public unsafe void Write(ReadOnlySpan<byte> bytes)
    {
        // SAFETY: the span stays where it is during the call, which reads no more than its length.
        fixed (byte* start = bytes)
            _ = write(_tap, start, (nuint)bytes.Length);
    }

    /// <summary>Waits for a frame and reads it with its header.</summary>
    /// <returns>Its length; 0 after <see cref="Stop"/>, or when the device is gone.</returns>
    public unsafe int Read(Span<byte> into)
    {
        for (; ; )
        {
            nint count;

            // SAFETY: the span stays where it is during the call, which writes no more than its length.
            fixed (byte* start = into)
                count = read(_tap, start, (nuint)into.Length);
            if (count > 0)
                return (int)count;
            int error = count == 0 ? 0 : Marshal.GetLastPInvokeError();
            if (error is not (WouldBlock or Interrupted) || !Wait())
                return 0;
        }
    }

    /// <summary>Makes <see cref="Read"/> return.</summary>
    public unsafe void Stop()
    {
        ulong one = 1;

        // SAFETY: eight bytes of a local.
        _ = write(_stop, (byte*)&one, sizeof(ulong));
    }

    /// <summary>The device goes, and with it its place in the bridge.</summary>
    public void Dispose()
    {
        _tap.Dispose();
        _stop.Dispose();
    }

    private unsafe bool Wait()
    {
        PollDescriptor* descriptors = stackalloc PollDescriptor[2];
        descriptors[0] = new PollDescriptor { Descriptor = (int)_tap.DangerousGetHandle(), Events = PollIn };
        descriptors[1] = new PollDescriptor { Descriptor = (int)_stop.DangerousGetHandle(), Events = PollIn };

        // SAFETY: two structures; both descriptors are open, because who stops reading waits for that before it disposes.
        int ready = poll(descriptors, 2, -1);
        return (ready > 0 || Marshal.GetLastPInvokeError() == Interrupted) && descriptors[1].Returned == 0;
    }

    private string? SetUp(string? bridge, int? mtu)
    {
        Span<byte> request = stackalloc byte[RequestSize];
        Named(request, Name);
        BinaryPrimitives.WriteInt16LittleEndian(request[NameSize..], TapWithHeader);
        if (Control(_tap, TunSetInterface, request) != 0)
            return Error($"TAP device {Name} cannot be made");
        if (ioctl(_tap, TunSetOffload, OffloadCsumTso4Tso6) != 0)
            return Error($"TAP device {Name} has no offloads");
        using SafeFileHandle socket = new(TapDevice.socket(AfInet, SockDatagram | OpenCloexec, 0), ownsHandle: true);
        if (socket.IsInvalid)
            return Error("no socket");
        if (mtu is { } bytes)
        {
            Named(request, Name);
            BinaryPrimitives.WriteInt32LittleEndian(request[NameSize..], bytes);
            if (Control(socket, SetMtu, request) != 0)
                return Error($"TAP device {Name} cannot have an MTU of {bytes}");
        }

        Named(request, Name);
        if (Control(socket, GetFlags, request) != 0)
            return Error($"TAP device {Name} has no flags");
        request[NameSize] |= FlagUp;
        if (Control(socket, SetFlags, request) != 0)
            return Error($"TAP device {Name} cannot be brought up");
        return bridge is null ? null : Join(socket, bridge);
    }

    private string? Join(SafeFileHandle socket, string bridge)
    {
        if (bridge.Length is 0 or >= NameSize)
            return $"'{bridge}' is no name of a bridge";
        Span<byte> request = stackalloc byte[RequestSize];
        Named(request, Name);
        if (Control(socket, GetIndex, request) != 0)
            return Error($"TAP device {Name} has no index");
        int index = BinaryPrimitives.ReadInt32LittleEndian(request[NameSize..]);
        Named(request, bridge);
        BinaryPrimitives.WriteInt32LittleEndian(request[NameSize..], index);
        return Control(socket, AddToBridge, request) == 0 ? null : Error($"TAP device {Name} cannot be added to bridge {bridge}");
    }

    private static void Named(Span<byte> request, string name)
    {
        request.Clear();
        Encoding.ASCII.GetBytes(name, request[..(NameSize - 1)]);
    }

    private static unsafe int Control(SafeFileHandle on, ulong code, Span<byte> request)
    {
        // SAFETY: struct ifreq has 40 bytes on every 64-bit Linux, and the span has as many.
        fixed (byte* start = request)
            return ioctl(on, code, (nuint)start);
    }

    private static string Error(string what)
    {
        int error = Marshal.GetLastPInvokeError();
        string advice = error is NotPermitted or AccessDenied
            ? ": run as root or with CAP_NET_ADMIN, or leave the bridge out for a network that needs no privilege"
            : "";
        return string.Create(CultureInfo.InvariantCulture, $"{what}: {Marshal.GetPInvokeErrorMessage(error)} ({error}){advice}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint value, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle descriptor, ulong code, nuint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint read(SafeFileHandle descriptor, byte* into, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint write(SafeFileHandle descriptor, byte* from, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int poll(PollDescriptor* descriptors, nuint count, int timeout);
}
