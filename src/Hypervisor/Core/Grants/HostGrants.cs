using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// Granted pages that services of this process have mapped, as domain 0. They see all of machine memory, so a mapping is a reference of the frame and a pin of the
/// grant, and no page-table entry. Made by <see cref="GrantTable.MapForHost"/>.
/// </summary>
/// <remarks>Any thread. Nothing here allocates memory, once as many mappings have existed as there are.</remarks>
public sealed class HostGrants
{
    /// <summary>Mappings that the host may have: as many as a domain could with a table of 65536 frames.</summary>
    private const int MaxMaptrackFrames = DomainSettings.HighestMaptrackFrames;

    private readonly Machine _machine;

    internal HostGrants(Machine machine) => _machine = machine;

    /// <summary>Mappings there are now.</summary>
    public int Active => Track.Active;

    internal MapTrack Track { get; } = new(MaxMaptrackFrames);

    /// <summary>Ends a mapping. The granter may have died since; then this may free the frame. <b>Errors</b>: <see cref="GrantStatus.BadHandle"/>.</summary>
    public GrantStatus Unmap(GrantHandle handle)
    {
        if (!Track.TryClaim(handle, out GrantMap map))
            return GrantStatus.BadHandle;
        map.Granter.Domain.Release(map.Frame, !map.IsReadOnly);
        map.Granter.Unpin(map.Reference, GrantPins.Of(map.Flags));
        map.Granter.CountHostMapping(-1);
        Track.Free(handle);
        return GrantStatus.Okay;
    }

    /// <summary>The bytes of a frame that is mapped. The caller holds the mapping.</summary>
    public Span<byte> Bytes(Mfn frame) => _machine.Memory.Frame(frame);
}
