using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>What is written about a vCPU when its domain crashes or somebody wants to look at it.</summary>
public static class CrashReport
{
    /// <summary>Words of the stack that are shown.</summary>
    private const int StackWords = 32;

    /// <summary>Trace events that are shown.</summary>
    private const int LastEvents = 24;

    private const int CodeBytes = 16;
    private const int WordsPerLine = 4;

    private static readonly string[] Names =
        ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    /// <summary>The report of a domain's crash.</summary>
    internal static IReadOnlyList<string> Write(Domain domain, string reason, Vcpu? culprit)
    {
        List<string> lines = [$"{domain.Id} ({domain.Name}) crashed{(culprit is null ? "" : $" on {culprit}")}: {reason}"];
        if (culprit is not null)
            AddVcpu(lines, culprit);
        return lines;
    }

    /// <summary>Registers, stack and last events of a vCPU. The calling thread runs it, or nobody does; else the figures are of different moments.</summary>
    public static void AddVcpu(IList<string> lines, Vcpu vcpu)
    {
        foreach (string line in vcpu.State.HostFault?.Details() ?? [])
            lines.Add(line);
        AddRegisters(lines, vcpu);
        AddCode(lines, vcpu);
        AddStack(lines, vcpu);
        lines.Add("last events:");
        foreach (TraceEvent entry in vcpu.Trace.Last(LastEvents))
            lines.Add("  " + entry);
    }

    private static void AddRegisters(IList<string> lines, Vcpu vcpu)
    {
        VcpuState state = vcpu.State;
        ref RegisterFile registers = ref state.Registers;
        lines.Add(Format($"{vcpu} {state.Mode} mode, cr3 {state.KernelRoot}, user {state.UserRoot}, upcalls {(vcpu.Info.UpcallMask ? "masked" : "open")}"));
        lines.Add(Format($"rip {registers.Rip:x16}  rflags {registers.Rflags:x8}  cr2 {vcpu.Traps.Cr2:x16}"));
        for (int i = 0; i < Names.Length; i += WordsPerLine)
        {
            var line = new StringBuilder();
            for (int j = i; j < i + WordsPerLine; j++)
                line.Append(CultureInfo.InvariantCulture, $"{Names[j],-3} {registers.Gpr[j]:x16}  ");
            lines.Add(line.ToString().TrimEnd());
        }

        lines.Add(Format($"cs {registers.Cs:x4} ss {registers.Ss:x4} ds {registers.Ds:x4} es {registers.Es:x4} fs {registers.Fs:x4} {registers.FsBase:x16} gs {registers.Gs:x4} {registers.GsBase:x16}"));
    }

    private static void AddCode(IList<string> lines, Vcpu vcpu)
    {
        Span<byte> code = stackalloc byte[CodeBytes];
        ulong rip = vcpu.State.Registers.Rip;
        lines.Add(GuestAccess.Read(vcpu, rip, code) ? "code at rip: " + Convert.ToHexString(code) : "code at rip: not readable");
    }

    private static void AddStack(IList<string> lines, Vcpu vcpu)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        ulong at = vcpu.State.Registers.Gpr[Gpr.Rsp];
        lines.Add("stack from rsp:");
        for (int i = 0; i < StackWords / WordsPerLine; i++)
        {
            var line = new StringBuilder(" ");
            for (int j = 0; j < WordsPerLine; j++, at += sizeof(ulong))
            {
                if (!GuestAccess.Read(vcpu, at, word))
                    return;
                line.Append(CultureInfo.InvariantCulture, $" {BinaryPrimitives.ReadUInt64LittleEndian(word):x16}");
            }

            lines.Add(line.ToString());
        }
    }

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
