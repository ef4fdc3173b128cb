using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Builder.StartOfDay;

internal static partial class StartInfoPage
{
    // SAFETY: StartInfo is a blittable structure of the public interface; its bytes are copied, and all of them are initialised.
    private static byte[] BytesOf(StartInfo info) => MemoryMarshal.AsBytes(new ReadOnlySpan<StartInfo>(in info)).ToArray();
}
