using Xen.Abi;

namespace Xen.Core;

/// <summary>console_io: the hypervisor's own console, which an ordinary guest may not use. <b>Source</b>: xen.h, CONSOLEIO_.</summary>
internal static class ConsoleIo
{
    private const int ChunkLength = 1024;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: command, count, buffer. <b>Errors</b>: EPERM unless the domain has a debug console; EFAULT.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        if (vcpu.Domain.DebugConsole is not { } console || (ConsoleIoOperation)(uint)arguments.A1 != ConsoleIoOperation.Write)
            return XenErrno.EPERM;

        // Long output is cut into chunks, with the guest's and the scheduler's turn between them.
        int count = (int)Math.Min((uint)arguments.A2, ChunkLength);
        var bytes = new byte[count];
        if (!GuestAccess.Read(vcpu, arguments.A3, bytes))
            return XenErrno.EFAULT;
        console(bytes);
        uint rest = (uint)arguments.A2 - (uint)count;
        if (rest == 0)
            return XenErrno.OK;
        HypercallTable.SetArguments(
            ref vcpu.State.Registers, arguments with { A2 = rest, A3 = arguments.A3 + (uint)count });
        return HypercallResult.Restart;
    }
}
