using System.Runtime.InteropServices;

namespace Xen.Xm;

/// <summary>A file descriptor that we were started with, by plain read and write: no buffer, no position of its own.</summary>
/// <remarks>
/// FileStream would keep a position, so that standard output and standard error in one file would overwrite each other.
/// </remarks>
internal sealed unsafe partial class DescriptorStream(int descriptor) : Stream
{
    private const int InterruptedCall = 4, TryAgain = 11;
    private const short PollIn = 1, PollOut = 4;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            // SAFETY: the span is pinned for the call, and its length is what the kernel is told.
            fixed (byte* at = buffer)
            {
                nint count = read(descriptor, at, (nuint)buffer.Length);
                if (count >= 0)
                    return (int)count;
            }

            WaitOrThrow(PollIn);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            nint count;
            // SAFETY: the span is pinned for the call, and its length is what the kernel is told.
            fixed (byte* at = buffer)
                count = write(descriptor, at, (nuint)buffer.Length);
            if (count >= 0)
                buffer = buffer[(int)count..];
            else
                WaitOrThrow(PollOut);
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>After a failed call: returns if it is worth trying again. A terminal may have been set non-blocking by whoever shares it.</summary>
    private void WaitOrThrow(short events)
    {
        int error = Marshal.GetLastPInvokeError();
        if (error == InterruptedCall)
            return;
        if (error != TryAgain)
            throw new IOException(Marshal.GetPInvokeErrorMessage(error) + ".");
        PollRequest request = new() { Descriptor = descriptor, Events = events };
        // SAFETY: one request, on our stack, for the length of the call.
        _ = poll(&request, 1, -1);
    }

    // struct pollfd
    private struct PollRequest
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(PollRequest* requests, nuint count, int timeout);
}
