namespace Xen.Abi;

/// <summary>
/// Offsets in the console ring page: two byte rings, named from the guest's side. <b>Units</b>: bytes.
/// <b>Source</b>: io/console.h, struct xencons_interface.
/// </summary>
public static class ConsoleInterfaceLayout
{
    /// <summary>Input to the guest; written by the backend.</summary>
    public const int In = 0;
    public const int InSize = 1024;

    /// <summary>Output of the guest; written by the guest.</summary>
    public const int Out = 1024;
    public const int OutSize = 2048;

    /// <summary>Written by the guest. Four bytes, as all indices.</summary>
    public const int InCons = 3072;

    /// <summary>Written by the backend.</summary>
    public const int InProd = 3076;

    /// <summary>Written by the backend.</summary>
    public const int OutCons = 3080;

    /// <summary>Written by the guest.</summary>
    public const int OutProd = 3084;

    public const int Size = 3088;
}

/// <summary>Sub-operations of console_io. <b>Source</b>: xen.h, CONSOLEIO_*.</summary>
public enum ConsoleIoOperation : uint
{
    Write = 0,
    Read = 1,
}
