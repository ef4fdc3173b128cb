using System.Globalization;
using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// The handle of a service's mapping. Its number is used again when the mapping has ended, its generation is not (for 2^32 times): who keeps a handle too long gets
/// <see cref="GrantStatus.BadHandle"/> instead of ending somebody else's mapping. The default value is no handle.
/// <code>
///  63          32 31            0
/// +--------------+---------------+
/// |  generation  |  number + 1   |
/// +--------------+---------------+
/// </code>
/// </summary>
public readonly record struct HostGrantHandle(ulong Value)
{
    internal HostGrantHandle(GrantHandle number, uint generation)
        : this(((ulong)generation << 32) | (number.Value + 1UL))
    {
    }

    public bool IsSet => (uint)Value != 0;

    internal GrantHandle Number => new((uint)Value - 1);

    internal uint Generation => (uint)(Value >> 32);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number} of generation {Generation}");
}

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
    public GrantStatus Unmap(HostGrantHandle handle)
    {
        if (!handle.IsSet || !Track.TryClaim(handle.Number, handle.Generation, out GrantMap map))
            return GrantStatus.BadHandle;
        map.Granter.Domain.Release(map.Frame, !map.IsReadOnly);
        map.Granter.Unpin(map.Reference, GrantPins.Of(map.Flags));
        map.Granter.CountHostMapping(-1);
        Track.Free(handle.Number);
        return GrantStatus.Okay;
    }

    /// <summary>The bytes of a frame that is mapped. The caller holds the mapping.</summary>
    public Span<byte> Bytes(Mfn frame) => _machine.Memory.Frame(frame);
}
