using System.Runtime.InteropServices;

namespace Xen.Builder.Images.Codecs;

/// <summary>A shared library of the system that unpacks one compression format.</summary>
internal sealed class CodecLibrary : IDisposable
{
    private readonly string _file;
    private readonly string _soname;
    private nint _handle;

    private CodecLibrary(string file, string soname, nint handle)
    {
        _file = file;
        _soname = soname;
        _handle = handle;
    }

    /// <summary>Loads the library for a format.</summary>
    /// <exception cref="ImageException">It is not installed; the message names it and its Debian package.</exception>
    public static CodecLibrary Open(string file, CompressionFormat format) => format switch
    {
        CompressionFormat.Xz or CompressionFormat.Lzma => Open(file, format, "liblzma.so.5", "liblzma5"),
        CompressionFormat.Lz4 => Open(file, format, "liblz4.so.1", "liblz4-1"),
        CompressionFormat.Zstd => Open(file, format, "libzstd.so.1", "libzstd1"),
        CompressionFormat.Bzip2 => Open(file, format, "libbz2.so.1.0", "libbz2-1.0"),
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>Loads a library by its soname, for the file that needs it.</summary>
    public static CodecLibrary Open(string file, CompressionFormat format, string soname, string package) =>
        NativeLibrary.TryLoad(soname, out var handle)
            ? new CodecLibrary(file, soname, handle)
            : throw new ImageException(
                file,
                $"its kernel is {format.Name()}-compressed, and the library {soname} that unpacks it is not installed",
                $"install it (on Debian: apt install {package})");

    /// <summary>The address of a function.</summary>
    /// <exception cref="ImageException">The library has no such function.</exception>
    public nint Function(string name) => NativeLibrary.TryGetExport(_handle, name, out var address)
        ? address
        : throw new ImageException(
            _file, $"the library {_soname} that should unpack it has no function {name}", "install the distribution's own library");

    public void Dispose()
    {
        if (_handle != 0)
        {
            NativeLibrary.Free(_handle);
            _handle = 0;
        }
    }
}
