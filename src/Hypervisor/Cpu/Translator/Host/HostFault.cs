using System.Globalization;
using System.Text;

namespace Xen.Cpu;

/// <summary>What is known of a fault of emitted code on the host: a bug of the translator, or memory that the host cannot provide.</summary>
/// <param name="Signal">The host's signal.</param>
/// <param name="Vector">The processor's exception.</param>
/// <param name="ErrorCode">Its error code.</param>
/// <param name="Address">What the instruction has reached for. <b>Units</b>: host address.</param>
/// <param name="HostRip">The instruction. <b>Units</b>: host address.</param>
/// <param name="Block">Where the guest's block begins that the instruction belongs to; null: it is in none.</param>
/// <param name="GuestRip">The guest's instruction that it belongs to; null: that cannot be found any more.</param>
/// <param name="Code">The host's code around the instruction; empty: it is not in emitted code.</param>
/// <param name="CodeOffset">Where the instruction begins in <paramref name="Code"/>.</param>
public sealed record HostFault(
    int Signal, byte Vector, uint ErrorCode, ulong Address, ulong HostRip, ulong? Block, ulong? GuestRip, ReadOnlyMemory<byte> Code, int CodeOffset)
{
    private const int PageFault = 14;
    private const uint WriteBit = 2, FetchBit = 16;

    /// <summary>What happened, as one sentence.</summary>
    public string Reason => Text($"translated code failed on the host: {SignalName}, {Cause}, at host address {HostRip:x}, {Place}");

    /// <summary>What else there is to say, line by line.</summary>
    public IEnumerable<string> Details()
    {
        if (!Code.IsEmpty)
        {
            var line = new StringBuilder("host code:");
            for (int i = 0; i < Code.Length; i++)
                line.Append(i == CodeOffset ? " >" : " ").Append(Code.Span[i].ToString("x2", CultureInfo.InvariantCulture));
            yield return line.ToString();
        }

        if (SignalName != "SIGBUS")
        {
            yield return $"this is an error of the hypervisor, not of the guest: cpu_engine = '{CpuEngines.Interpreter}' does without translated code, "
                + $"'{CpuEngines.Lockstep}' finds where it goes wrong";
        }
        else
        {
            yield return "the host has no memory for a page of the machine's: see that it has enough, also of huge pages";
        }
    }

    private string SignalName => Signal switch
    {
        4 => "SIGILL",
        5 => "SIGTRAP",
        7 => "SIGBUS",
        8 => "SIGFPE",
        11 => "SIGSEGV",
        _ => Text($"signal {Signal}"),
    };

    private string Cause => Vector != PageFault ? Text($"exception {Vector}")
        : Text($"{((ErrorCode & FetchBit) != 0 || Address == HostRip ? "jump to" : (ErrorCode & WriteBit) != 0 ? "write to" : "read from")} {Address:x}");

    private string Place => GuestRip is { } rip ? Text($"for the guest's instruction at {rip:x16}")
        : Block is { } block ? Text($"in the guest's block at {block:x16}") : "outside of all blocks";

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
