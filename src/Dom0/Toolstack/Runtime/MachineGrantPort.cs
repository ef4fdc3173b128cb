using Xen.Abi;
using Xen.Core;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>Granted pages for backends in this process, which act as domain 0.</summary>
public sealed class MachineGrantPort(Machine machine) : IGrantPort
{
    /// <inheritdoc/>
    public GrantStatus Map(DomId granter, GrantRef reference, bool readOnly, out GrantMapping mapping)
    {
        mapping = default;
        if (machine.FindDomain(granter) is not { } domain)
            return GrantStatus.BadDomain;
        GrantStatus status = domain.Grants.MapForHost(reference, readOnly, out HostGrantHandle handle, out Mfn frame);
        if (status == GrantStatus.Okay)
            mapping = new GrantMapping(handle.Value, frame.Value);
        return status;
    }

    /// <inheritdoc/>
    public Span<byte> Bytes(in GrantMapping mapping) => mapping.IsMapped ? machine.HostGrants.Bytes(new Mfn(mapping.Frame)) : [];

    /// <inheritdoc/>
    public void MarkWritten(in GrantMapping mapping)
    {
        if (mapping.IsMapped)
            machine.Code.NoteWrite(new Mfn(mapping.Frame));
    }

    /// <inheritdoc/>
    public void Unmap(in GrantMapping mapping)
    {
        if (mapping.IsMapped)
            _ = machine.HostGrants.Unmap(new HostGrantHandle(mapping.Handle));
    }

    /// <inheritdoc/>
    public GrantStatus CopyFrom(DomId granter, GrantRef reference, int offset, Span<byte> destination) =>
        machine.FindDomain(granter)?.Grants.CopyFromForHost(reference, offset, destination) ?? GrantStatus.BadDomain;

    /// <inheritdoc/>
    public GrantStatus CopyTo(DomId granter, GrantRef reference, int offset, ReadOnlySpan<byte> source) =>
        machine.FindDomain(granter)?.Grants.CopyToForHost(reference, offset, source) ?? GrantStatus.BadDomain;
}
