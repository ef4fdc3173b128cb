using System.Text;
using Xen.Abi;

namespace Xen.Builder.StartOfDay;

/// <summary>Fills in start_info. <b>Source</b>: xen.h, struct start_info.</summary>
internal static partial class StartInfoPage
{
    public static void Write(IDomainMemory memory, StartOfDayLayout layout, StartOfDayParameters parameters) =>
        memory.Write(new Pfn(layout.StartInfo), 0, BytesOf(Create(memory, layout, parameters)));

    private static StartInfo Create(IDomainMemory memory, StartOfDayLayout layout, StartOfDayParameters parameters)
    {
        var info = new StartInfo
        {
            NrPages = layout.PageCount,
            SharedInfo = parameters.SharedInfoAddress,
            Flags = parameters.Flags,
            StoreMfn = memory.FrameOf(new Pfn(layout.XenStore)),
            StoreEvtchn = parameters.StoreEvtchn,
            PtBase = layout.AddressOf(layout.PageTables.First),
            NrPtFrames = layout.PageTables.Count,
            MfnList = layout.P2mAddress,
        };
        info.Console.DomUMfn = memory.FrameOf(new Pfn(layout.Console));
        info.Console.DomUEvtchn = parameters.ConsoleEvtchn;
        "xen-3.0-x86_64"u8.CopyTo(info.Magic);
        Encoding.UTF8.GetBytes(parameters.CommandLine, info.CmdLine);
        if (!parameters.Ramdisk.IsEmpty)
        {
            info.Flags |= layout.RamdiskInRegion ? StartInfoFlags.None : StartInfoFlags.ModStartPfn;
            info.ModStart = layout.RamdiskInRegion ? layout.AddressOf(layout.Ramdisk.First) : layout.Ramdisk.First;
            info.ModLen = (ulong)parameters.Ramdisk.Length;
        }

        if (!layout.P2mInRegion)
        {
            info.FirstP2mPfn = layout.P2m.Pfn;
            info.NrP2mFrames = layout.P2m.Count + layout.P2mTables.Count;
        }

        return info;
    }
}
