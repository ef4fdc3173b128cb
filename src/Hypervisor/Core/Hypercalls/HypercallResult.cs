using Xen.Abi;

namespace Xen.Core;

/// <summary>What a hypercall leaves in rax: a result of 0 or more, or a negated errno.</summary>
/// <param name="Rax">The value.</param>
/// <param name="Effect">What else the dispatcher has to do with the registers.</param>
public readonly record struct HypercallResult(long Rax, HypercallEffect Effect = HypercallEffect.WriteRax)
{
    /// <summary>The handler has set all registers itself (iret): rax is not touched.</summary>
    public static readonly HypercallResult RegistersSet = new(0, HypercallEffect.RegistersSet);

    /// <summary>The handler has done a part, has put the arguments of the rest into the registers, and wants to be called again:
    /// the dispatcher takes rip back to the instruction, so that events and the scheduler get their turn.</summary>
    public static readonly HypercallResult Restart = new(0, HypercallEffect.Restart);

    public static implicit operator HypercallResult(XenErrno errno) => new(-(long)errno);

    public static implicit operator HypercallResult(long value) => new(value);

    public static HypercallResult FromXenErrno(XenErrno errno) => errno;

    public static HypercallResult FromInt64(long value) => value;
}

/// <summary>What happens to the registers after a hypercall.</summary>
public enum HypercallEffect : byte
{
    WriteRax,
    RegistersSet,
    Restart,
}

/// <summary>The five arguments: rdi, rsi, rdx, r10, r8 (or a multicall entry's). Claims of the guest until checked.</summary>
public readonly record struct HypercallArguments(ulong A1, ulong A2, ulong A3, ulong A4, ulong A5);

/// <summary>A hypercall's implementation. Runs on the vCPU's thread, outside of the guest, without locks held.</summary>
public delegate HypercallResult HypercallHandler(Vcpu vcpu, in HypercallArguments arguments);
