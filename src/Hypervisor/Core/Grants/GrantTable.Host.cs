using Xen.Abi;

namespace Xen.Core;

/// <summary>Uses of grants by services in this process, which act as domain 0. Any thread, without locks held; they allocate no memory.</summary>
public sealed partial class GrantTable
{
    private int _hostMappings;

    /// <summary>Mappings that services of this process have of this domain's grants.</summary>
    public int HostMappings => Volatile.Read(ref _hostMappings);

    private HostGrants Host => _domain.Machine.HostGrants;

    /// <summary>Maps a page that is granted to domain 0.</summary>
    /// <param name="reference">The grant, a claim.</param>
    /// <param name="readOnly">Whether it will only be read; a grant for reading suffices.</param>
    /// <param name="handle">For <see cref="UnmapForHost"/>, or <see cref="HostGrants.Unmap"/> when the granter cannot be found any more.</param>
    /// <param name="frame">The frame. It stays what it is until the unmap, even if the granter dies.</param>
    /// <returns>Why not: BadGntref, GeneralError (not granted to domain 0, or not so; the granter is dying), BadPage, NoDeviceSpace.</returns>
    public GrantStatus MapForHost(GrantRef reference, bool readOnly, out HostGrantHandle handle, out Mfn frame)
    {
        (handle, frame) = (default, Mfn.Invalid);
        if (!Host.Track.TryReserve(out GrantHandle number))
            return GrantStatus.NoDeviceSpace;
        GrantMapFlags flags = GrantMapFlags.HostMap | (readOnly ? GrantMapFlags.Readonly : 0);
        GrantStatus status = BeginMap(reference, DomId.Dom0, flags, current: null, out frame);
        if (status != GrantStatus.Okay)
        {
            Host.Track.Free(number);
            return status;
        }

        CountHostMapping(1);
        handle = new HostGrantHandle(number, Host.Track.GenerationOf(number));
        Host.Track.Publish(number, new GrantMap(this, reference, frame, flags));
        return status;
    }

    /// <summary>Ends a mapping. <b>Errors</b>: BadHandle.</summary>
    public GrantStatus UnmapForHost(HostGrantHandle handle) => Host.Unmap(handle);

    /// <summary>Copies out of a page that is granted to domain 0.</summary>
    /// <param name="reference">The grant, a claim.</param>
    /// <param name="offset">Where to begin. <b>Units</b>: bytes.</param>
    /// <param name="destination">Where to.</param>
    /// <returns>Why not: as <see cref="MapForHost"/>, and BadCopyArg when the range does not lie in a page; GeneralError when it does not lie in what is granted of it.</returns>
    public GrantStatus CopyFromForHost(GrantRef reference, int offset, Span<byte> destination)
    {
        if (!IsInPage(offset, destination.Length))
            return GrantStatus.BadCopyArg;
        GrantStatus status = BeginCopy(reference, DomId.Dom0, readOnly: true, current: null, out GrantWindow window);
        if (status != GrantStatus.Okay)
            return status;
        if (window.Holds(offset, destination.Length))
            _memory.Frame(window.Frame).Slice(offset, destination.Length).CopyTo(destination);
        else
            status = GrantStatus.GeneralError;
        EndCopy(reference, readOnly: true, window);
        return status;
    }

    /// <summary>Copies into a page that is granted to domain 0.</summary>
    /// <param name="reference">The grant, a claim.</param>
    /// <param name="offset">Where to begin. <b>Units</b>: bytes.</param>
    /// <param name="source">What.</param>
    /// <returns>As <see cref="CopyFromForHost"/>.</returns>
    public GrantStatus CopyToForHost(GrantRef reference, int offset, ReadOnlySpan<byte> source)
    {
        if (!IsInPage(offset, source.Length))
            return GrantStatus.BadCopyArg;
        GrantStatus status = BeginCopy(reference, DomId.Dom0, readOnly: false, current: null, out GrantWindow window);
        if (status != GrantStatus.Okay)
            return status;
        if (window.Holds(offset, source.Length))
        {
            source.CopyTo(_memory.Frame(window.Frame)[offset..]);
            _code.NoteWrite(window.Frame);
        }
        else
        {
            status = GrantStatus.GeneralError;
        }

        EndCopy(reference, readOnly: false, window);
        return status;
    }

    internal void CountHostMapping(int change) => Interlocked.Add(ref _hostMappings, change);

    private static bool IsInPage(int offset, int length) => offset >= 0 && length <= Page.Size && offset <= Page.Size - length;
}
