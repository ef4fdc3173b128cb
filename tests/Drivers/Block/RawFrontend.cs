using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Block.Protocol;
using Xen.GuestKit.Harness;
using Xen.Rings;

namespace Xen.Drivers.Tests.Block;

/// <summary>A frontend of which a test controls every word: ring, requests, grants and nodes.</summary>
internal sealed class RawFrontend : IDisposable
{
    private readonly SemaphoreSlim _told = new(0);
    private readonly BlockPair _pair;

    public RawFrontend(BlockPair pair, bool persistent = false)
    {
        _pair = pair;
        RingPage = Guest.Grants.AllocatePage();
        RingRef = Guest.Grants.Grant(RingPage, pair.Dom0.Id);
        Channel = Guest.Events.AllocateUnbound(pair.Dom0.Id);
        Ring = FrontRing<BlkifRequest, BlkifResponse>.Initialise(new SharedPages(RingPage));
        Channel.SetHandler(() => _told.Release());
        Write("ring-ref", RingRef.Value.ToString(CultureInfo.InvariantCulture));
        Write("event-channel", Channel.Port.Value.ToString(CultureInfo.InvariantCulture));
        Write("feature-persistent", persistent ? "1" : "0");
        Write("state", "3");
    }

    public WorldPage RingPage { get; }

    public GrantRef RingRef { get; }

    public WorldEventPort Channel { get; }

    public FrontRing<BlkifRequest, BlkifResponse> Ring { get; }

    private WorldDomain Guest => _pair.Guest;

    public void Write(string node, string value) => _pair.World.Store.Write($"{_pair.FrontendPath}/{node}", value);

    public void Remove(string node) => _pair.World.Store.Remove($"{_pair.FrontendPath}/{node}");

    /// <summary>A page of data that the backend may use.</summary>
    public (WorldPage Page, GrantRef Reference) Data(bool readOnly = false)
    {
        WorldPage page = Guest.Grants.AllocatePage();
        return (page, Guest.Grants.Grant(page, _pair.Dom0.Id, readOnly));
    }

    public void Put(in BlkifRequest request) => Assert.True(Ring.TryPut(request));

    public void Push()
    {
        if (Ring.Push())
            Channel.Notify();
    }

    /// <summary>Sends a request and waits for its response.</summary>
    public BlkifResponse Send(in BlkifRequest request)
    {
        Put(request);
        Push();
        return Receive();
    }

    public BlkifResponse Receive()
    {
        while (true)
        {
            if (Ring.TryTake(out BlkifResponse response))
                return response;
            if (!Ring.FinalCheckForResponses())
                Assert.True(_told.Wait(BlockPair.Patience), "no response");
        }
    }

    /// <summary>Ends every grant, whether the backend is done with it or not, and lets go of the channel.</summary>
    public void Dispose()
    {
        Channel.Dispose();
        _told.Dispose();
    }

    public static BlkifRequest Transfer(BlkifOperation operation, ulong sector, params BlkifSegment[] segments)
    {
        BlkifRequest request = new() { Operation = operation, Id = 0xFEED, SectorNumber = sector, NrSegments = (byte)segments.Length };
        for (int i = 0; i < Math.Min(segments.Length, Blkif.MaxSegments); i++)
            request.Seg[i] = segments[i];
        return request;
    }

    public static BlkifRequest Indirect(BlkifOperation operation, ulong sector, int segments, params GrantRef[] pages)
    {
        BlkifRequest request = new()
        {
            Operation = BlkifOperation.Indirect,
            IndirectOp = operation,
            Id = 0xFEED,
            SectorNumber = sector,
            IndirectNrSegments = (ushort)segments,
        };
        for (int i = 0; i < pages.Length; i++)
            request.IndirectGrefs[i] = pages[i].Value;
        return request;
    }
}
