namespace Xen.Builder.Images;

/// <summary>
/// A kernel or ramdisk cannot be used. The message is one sentence for the person who named the file: the file, the cause, the remedy.
/// </summary>
public sealed class ImageException : Exception
{
    public ImageException(string file, string cause, string remedy, Exception? inner = null)
        : base($"{file}: {cause}; {remedy}", inner)
    {
        File = file;
        Cause = cause;
        Remedy = remedy;
    }

    /// <summary>The file as the person named it.</summary>
    public string File { get; }

    /// <summary>What is wrong with it.</summary>
    public string Cause { get; }

    /// <summary>What to do about it.</summary>
    public string Remedy { get; }

    internal static ImageException Truncated(string file, string what, ulong end, ulong length) => new(
        file,
        $"the image is truncated: its {what} reaches to byte {end}, and there are {length} bytes",
        "fetch or build the file again");

    internal static ImageException Malformed(string file, string cause) => new(
        file, cause, "the file is damaged or not a kernel: fetch or build it again");
}
