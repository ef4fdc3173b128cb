using Xen.Abi;

namespace Xen.Core;

/// <summary>What the guest has asked for, and what it is told about itself.</summary>
public sealed partial class Domain
{
    private ulong _assists;

    /// <summary>The domain's UUID, as XENVER_guest_handle tells it.</summary>
    public Guid Handle { get; set; }

    /// <summary>VMASST_TYPE_ bits that are on; also how a context is saved and restored. Any thread.</summary>
    public ulong Assists
    {
        get => Volatile.Read(ref _assists);
        set
        {
            Volatile.Write(ref _assists, value);
            WritablePageTables = HasAssist(VmAssistType.WritablePagetables);
        }
    }

    /// <summary>VMASST_TYPE_runstate_update_flag: registered runstate areas carry XEN_RUNSTATE_UPDATE while they are written.</summary>
    public bool MarksRunstateUpdates => HasAssist(VmAssistType.RunstateUpdateFlag);

    /// <summary>Where a guest's console_io output goes, for debugging; null (as Xen's release builds) refuses it with -EPERM. Called on the vCPU's thread.</summary>
    public Action<ReadOnlyMemory<byte>>? DebugConsole { get; set; }

    internal bool HasAssist(VmAssistType type) => ((Assists >> (int)type) & 1) != 0;

    internal void SetAssist(VmAssistType type, bool on)
    {
        ulong bit = 1ul << (int)type;
        _ = on ? Interlocked.Or(ref _assists, bit) : Interlocked.And(ref _assists, ~bit);
        if (type == VmAssistType.WritablePagetables)
            WritablePageTables = on;
    }
}
