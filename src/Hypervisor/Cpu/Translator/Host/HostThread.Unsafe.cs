using System.Runtime.InteropServices;

namespace Xen.Cpu;

/// <summary>The part of a host thread that emitted code needs: its gs base, which .NET on Linux leaves alone.</summary>
internal static unsafe partial class HostThread
{
    private const int SetGs = 0x1001;

    /// <summary>What the thread's gs base was set to last.</summary>
    private static readonly ThreadLocal<nint> Context = new();

    /// <summary>Runs emitted code on this thread until it exits.</summary>
    /// <param name="context">The vCPU's context.</param>
    /// <param name="enter">The entry trampoline.</param>
    /// <param name="code">Where to begin.</param>
    public static void Run(VcpuContext* context, nint enter, nint code)
    {
        // SAFETY: the trampoline saves what the calling convention asks for. The garbage collector may run meanwhile: emitted code touches pinned memory only.
        if (Context.Value != (nint)context)
            Use(context);
        ((delegate* unmanaged<nint, void>)enter)(code);
    }

    /// <summary>Whether threads may set their gs base.</summary>
    public static bool CanUseContext
    {
        get
        {
            bool can = arch_prctl(SetGs, 0) == 0;
            Forget();
            return can;
        }
    }

    /// <summary>Says that somebody else has set this thread's gs base.</summary>
    public static void Forget() => Context.Value = 0;

    private static void Use(VcpuContext* context)
    {
        if (arch_prctl(SetGs, (nint)context) != 0)
            throw new InvalidOperationException($"the host does not set the gs base: errno {Marshal.GetLastPInvokeError()}");
        Context.Value = (nint)context;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int arch_prctl(int code, nint address);
}
