using System.Text;
using Xen.Abi;

namespace Xen.Core;

/// <summary>xen_version: what hypervisor this is and what it can do. <b>Source</b>: version.h, features.h.</summary>
public static class XenVersion
{
    /// <summary>The interface's level.</summary>
    public const int Major = 4, Minor = 17;

    /// <summary>What every PV guest has: MMU_PT_UPDATE_PRESERVE_AD works, and guest frames are not machine frames.</summary>
    private const uint PvFeatures = (1u << (int)XenFeature.MmuPtUpdatePreserveAd) | (1u << (int)XenFeature.HighmemAssist)
        | (1u << (int)XenFeature.GnttabMapAvailBits) | (1u << (int)XenFeature.MemoryOpVnodeSupported) | (1u << (int)XenFeature.NotDirectMapped);

    /// <summary>The rest of what it says of itself.</summary>
    public const string ExtraVersion = ".0", Capabilities = "xen-3.0-x86_64 ", Changeset = "", Compiler = ".NET";

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: command, where the answer goes. <b>Errors</b>: EFAULT, EINVAL, ENOSYS; EPERM build id, which only a control domain reads.</remarks>
    internal static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        ulong address = arguments.A2;
        switch ((XenVersionOperation)(uint)arguments.A1)
        {
            case XenVersionOperation.Version:
                return (Major << 16) | Minor;
            case XenVersionOperation.Extraversion:
                return WriteText(vcpu, address, ExtraVersion, XenVersionLimits.ExtraversionLength);
            case XenVersionOperation.CompileInfo:
                return WriteCompileInfo(vcpu, address);
            case XenVersionOperation.Capabilities:
                return WriteText(vcpu, address, Capabilities, XenVersionLimits.CapabilitiesInfoLength);
            case XenVersionOperation.Changeset:
                return WriteText(vcpu, address, Changeset, XenVersionLimits.ChangesetInfoLength);
            case XenVersionOperation.PlatformParameters:
                return GuestStructs.TryWrite(vcpu, address, new PlatformParameters { VirtStart = HypervisorLayout.VirtStart }) ? XenErrno.OK : XenErrno.EFAULT;
            case XenVersionOperation.GetFeatures:
                return GetFeatures(vcpu, address);
            case XenVersionOperation.Pagesize:
                return address == 0 ? Page.Size : XenErrno.EINVAL;
            case XenVersionOperation.GuestHandle:
                return WriteHandle(vcpu, address);
            case XenVersionOperation.Commandline:
                return WriteText(vcpu, address, "<denied>", XenVersionLimits.CommandlineLength);
            case XenVersionOperation.BuildId:
                return XenErrno.EPERM;
            default:
                return XenErrno.ENOSYS;
        }
    }

    private static HypercallResult GetFeatures(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out FeatureInfo info))
            return XenErrno.EFAULT;
        if (info.SubmapIdx != 0)
            return XenErrno.EINVAL;
        info.Submap = PvFeatures;
        if (vcpu.Domain.HasAssist(VmAssistType.PaeExtendedCr3))
            info.Submap |= 1u << (int)XenFeature.PaePgdirAbove4gb;
        return GuestStructs.TryWrite(vcpu, address, info) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static HypercallResult WriteHandle(Vcpu vcpu, ulong address)
    {
        Span<byte> bytes = stackalloc byte[16];
        _ = vcpu.Domain.Handle.TryWriteBytes(bytes, bigEndian: true, out _);
        return GuestAccess.Write(vcpu, address, bytes) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static HypercallResult WriteCompileInfo(Vcpu vcpu, ulong address)
    {
        // compiler[64], compile_by[16], compile_domain[32], compile_date[32]
        Span<byte> bytes = stackalloc byte[64 + 16 + 32 + 32];
        bytes.Clear();
        _ = Encoding.ASCII.GetBytes(Compiler, bytes);
        return GuestAccess.Write(vcpu, address, bytes) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static HypercallResult WriteText(Vcpu vcpu, ulong address, string text, int length)
    {
        Span<byte> bytes = stackalloc byte[XenVersionLimits.CapabilitiesInfoLength];
        bytes = bytes[..length];
        bytes.Clear();
        _ = Encoding.ASCII.GetBytes(text, bytes);
        return GuestAccess.Write(vcpu, address, bytes) ? XenErrno.OK : XenErrno.EFAULT;
    }
}
