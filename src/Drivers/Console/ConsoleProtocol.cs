using Xen.Rings;

namespace Xen.Drivers.Console;

/// <summary>The PV console's page: two byte rings. <b>Source</b>: io/console.h, struct xencons_interface.</summary>
public static class ConsoleProtocol
{
    /// <summary>What is typed: backend to guest. char in[1024], in_cons, in_prod.</summary>
    public static readonly ByteRingLayout Input = new(Data: 0, Size: 1024, Cons: 3072, Prod: 3076);

    /// <summary>What the guest prints: guest to backend. char out[2048], out_cons, out_prod.</summary>
    public static readonly ByteRingLayout Output = new(Data: 1024, Size: 2048, Cons: 3080, Prod: 3084);
}
