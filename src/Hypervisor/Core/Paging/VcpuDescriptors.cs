using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;

namespace Xen.Core;

/// <summary>
/// A vCPU's segment descriptor tables: the guest's GDT, behind it Xen's own entries, and an LDT.
/// <code>
/// selector index   0 ... GdtEntries - 1     7168 ...                  8191
///                  guest's frames, validated  Xen's flat segments
/// </code>
/// </summary>
/// <remarks>Only on the thread that owns the vCPU; changes outside of the guest, under the paging lock, look-ups anywhere.</remarks>
public sealed class VcpuDescriptors
{
    private const int DescriptorsPerFrame = Page.Size / sizeof(ulong);
    private const int MostLdtEntries = 8192;
    private const ushort LdtSelector = 4;

    // Bases and limits are flat; ring 3, accessed. CS32, DS, CS64.
    private const ulong FlatCode32 = 0x00CF_FB00_0000_FFFF, FlatData = 0x00CF_F300_0000_FFFF, FlatCode64 = 0x00AF_FB00_0000_FFFF;

    private readonly Vcpu _vcpu;
    private readonly Mfn[] _gdt = new Mfn[GdtLayout.FirstReservedPage];
    private int _gdtFrames;

    internal VcpuDescriptors(Vcpu vcpu) => _vcpu = vcpu;

    /// <summary>The frames of the guest's GDT.</summary>
    public ReadOnlySpan<Mfn> GdtFrames => _gdt.AsSpan(0, _gdtFrames);

    /// <summary>Entries of the guest's GDT.</summary>
    public int GdtEntries { get; private set; }

    /// <summary>Linear address of the LDT.</summary>
    public ulong LdtBase { get; private set; }

    /// <summary>Entries of the LDT; 0 when there is none.</summary>
    public int LdtEntries { get; private set; }

    /// <summary>Replaces the GDT (set_gdt). <b>Errors</b>: EINVAL: too many entries, a frame that is not the domain's, an unlawful descriptor. Then the old one stays.</summary>
    /// <param name="frames">As many frames as the entries need.</param>
    /// <param name="entries">Entries that may be used.</param>
    /// <param name="current">The vCPU that the calling thread runs, if it does.</param>
    public XenErrno SetGdt(ReadOnlySpan<ulong> frames, int entries, Vcpu? current)
    {
        int needed = FramesFor(entries);
        if ((uint)entries > GdtLayout.FirstReservedEntry || frames.Length < needed)
            return XenErrno.EINVAL;
        PageTables tables = _vcpu.Domain.Tables;
        using PageTables.PagingSection section = tables.Enter(current);
        for (int i = 0; i < needed; i++)
        {
            if (tables.GetPageAndType(new Mfn(frames[i]), FrameType.SegmentDescriptors) == XenErrno.OK)
                continue;
            while (i-- > 0)
                tables.PutPageAndType(new Mfn(frames[i]));
            return XenErrno.EINVAL;
        }

        Release();
        for (int i = 0; i < needed; i++)
            _gdt[i] = new Mfn(frames[i]);
        _gdtFrames = needed;
        GdtEntries = entries;
        return XenErrno.OK;
    }

    /// <summary>Replaces the LDT (MMUEXT_SET_LDT). Its pages are looked at when a descriptor is used. <b>Errors</b>: EINVAL.</summary>
    public XenErrno SetLdt(ulong linearAddress, uint entries)
    {
        bool lawful = (linearAddress & Page.OffsetMask) == 0 && entries <= MostLdtEntries
            && linearAddress - PageWalker.HypervisorStart >= PageWalker.HypervisorEnd - PageWalker.HypervisorStart;
        if (!lawful)
            return XenErrno.EINVAL;
        LdtBase = linearAddress;
        LdtEntries = (int)entries;
        return XenErrno.OK;
    }

    /// <summary>The 8 bytes that a selector names: in the LDT, the guest's GDT, or Xen's flat segments.</summary>
    /// <returns>False when there is no such entry; loading the selector is then #GP.</returns>
    public bool TryReadDescriptor(ushort selector, out ulong descriptor)
    {
        int index = selector >> 3;
        if ((selector & LdtSelector) != 0)
            return TryReadLdt(index, out descriptor);
        if (index < GdtEntries)
        {
            descriptor = _vcpu.State.Memory.ReadUInt64(_gdt[index / DescriptorsPerFrame].Address + (((ulong)index % DescriptorsPerFrame) << 3));
            return true;
        }

        descriptor = (selector | FlatSelectors.RplMask) switch
        {
            FlatSelectors.Ring3Cs32 => FlatCode32,
            FlatSelectors.Ring3Ds32 => FlatData,
            FlatSelectors.Ring3Cs64 => FlatCode64,
            _ => 0,
        };
        return descriptor != 0;
    }

    /// <summary>How many frames a GDT of so many entries takes.</summary>
    internal static int FramesFor(int entries) => (entries + DescriptorsPerFrame - 1) / DescriptorsPerFrame;

    /// <summary>Lets go of the GDT's frames. Under the paging lock.</summary>
    internal void Release()
    {
        foreach (Mfn frame in GdtFrames)
            _vcpu.Domain.Tables.PutPageAndType(frame);
        _gdtFrames = GdtEntries = 0;
    }

    private bool TryReadLdt(int index, out ulong descriptor)
    {
        descriptor = 0;
        if (index >= LdtEntries)
            return false;
        VcpuState state = _vcpu.State;
        bool inGuest = state.IsInGuest;
        if (!inGuest)
            state.EnterGuest();
        try
        {
            ulong address = LdtBase + ((ulong)index << 3);
            Translation translation = PageWalker.Walk(state.Memory, state.KernelRoot, address, MemoryAccess.Read);
            if (!translation.Present || !_vcpu.Domain.MayAccess(translation.Frame, write: false))
                return false;
            descriptor = state.Memory.ReadUInt64(translation.Frame.Address + (address & Page.OffsetMask));
        }
        finally
        {
            if (!inGuest)
                state.LeaveGuest();
        }

        // The guest may write the page at any time, so it is the copy that is checked.
        return SegmentDescriptor.TryFix(ref descriptor);
    }
}
