using Xen.Abi;

namespace Xen.Core;

/// <summary>GNTTABOP_copy: bytes from one page to another; each is the caller's own or granted to it.</summary>
internal static class GrantCopy
{
    /// <summary>Does one copy.</summary>
    public static GrantStatus Run(Vcpu vcpu, in GnttabCopy request)
    {
        if (request.Source.Offset + request.Len > Page.Size || request.Dest.Offset + request.Len > Page.Size)
            return GrantStatus.BadCopyArg;
        var source = new End(request.Source, (request.Flags & GrantCopyFlags.SourceGref) != 0, readOnly: true);
        var destination = new End(request.Dest, (request.Flags & GrantCopyFlags.DestGref) != 0, readOnly: false);
        GrantStatus status = source.Begin(vcpu);
        if (status != GrantStatus.Okay)
            return status;
        status = destination.Begin(vcpu);
        if (status == GrantStatus.Okay)
        {
            bool lawful = source.Window.Holds(request.Source.Offset, request.Len) && destination.Window.Holds(request.Dest.Offset, request.Len);
            status = lawful ? GrantStatus.Okay : GrantStatus.GeneralError;
            if (lawful)
                Move(vcpu.Domain.Machine, source.Window.Frame, destination.Window.Frame, request);
            destination.Finish();
        }

        source.Finish();
        return status;
    }

    private static void Move(Machine machine, Mfn source, Mfn destination, in GnttabCopy request)
    {
        machine.Memory.Frame(source).Slice(request.Source.Offset, request.Len).CopyTo(machine.Memory.Frame(destination)[request.Dest.Offset..]);
        machine.Code.NoteWrite(destination);
    }

    /// <summary>One of the two pages.</summary>
    private ref struct End(in GnttabCopyPtr pointer, bool isGrant, bool readOnly)
    {
        private readonly GnttabCopyPtr _pointer = pointer;
        private GrantTable? _granter;

        public GrantWindow Window { get; private set; }

        /// <summary>Takes hold of the page.</summary>
        public GrantStatus Begin(Vcpu vcpu)
        {
            Domain caller = vcpu.Domain;
            if (!isGrant)
                return _pointer.Domid == DomId.Self ? BeginOwn(vcpu) : GrantStatus.PermissionDenied;
            Domain? granter = _pointer.Domid == DomId.Self ? caller : caller.Machine.FindDomain(_pointer.Domid);
            if (granter is null)
                return GrantStatus.BadDomain;
            GrantStatus status = granter.Grants.BeginCopy(_pointer.Ref, caller.Id, readOnly, vcpu, out GrantWindow window);
            Window = window;
            _granter = status == GrantStatus.Okay ? granter.Grants : null;
            return status;
        }

        /// <summary>Lets go of it.</summary>
        public readonly void Finish()
        {
            if (_granter is not null)
                _granter.EndCopy(_pointer.Ref, readOnly, Window);
            else
                Window.Owner.Release(Window.Frame, !readOnly);
        }

        private GrantStatus BeginOwn(Vcpu vcpu)
        {
            var frame = new Mfn(_pointer.Gmfn.Value);
            if (!vcpu.Domain.TryReference(frame))
                return GrantStatus.BadPage;
            if (!readOnly && !vcpu.Domain.TryUseWritable(frame, vcpu))
            {
                vcpu.Domain.Release(frame, writable: false);
                return GrantStatus.GeneralError;
            }

            Window = new GrantWindow(vcpu.Domain, frame, 0, Page.Size);
            return GrantStatus.Okay;
        }
    }
}
