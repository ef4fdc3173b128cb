using Xen.Abi;

namespace Xen.Builder.StartOfDay;

/// <summary>What a domain's creator decides about its start, beside the kernel.</summary>
public sealed record StartOfDayParameters
{
    /// <summary>Longest command line (MAX_GUEST_CMDLINE without its NUL). <b>Units</b>: bytes.</summary>
    public const int MaxCommandLine = StartInfo.MaxGuestCmdline - 1;

    /// <summary>Machine address of the domain's shared_info page.</summary>
    public required ulong SharedInfoAddress { get; init; }

    /// <summary>The domain's end of its event channel to xenstore.</summary>
    public EvtchnPort StoreEvtchn { get; init; }

    /// <summary>The domain's end of its console's event channel.</summary>
    public EvtchnPort ConsoleEvtchn { get; init; }

    /// <summary>The kernel's command line.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>The ramdisk's content; empty for none.</summary>
    public ReadOnlyMemory<byte> Ramdisk { get; init; }

    /// <summary>SIF_ flags beside those that the builder sets itself.</summary>
    public StartInfoFlags Flags { get; init; }
}
