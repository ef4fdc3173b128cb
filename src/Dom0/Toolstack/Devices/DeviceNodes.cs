using Xen.Abi;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Toolstack;

/// <summary>The two folders of a split device, and the nodes in them by which its halves find each other.</summary>
/// <param name="Kind">vbd, vif, ...: the name of the device's class in xenstore.</param>
/// <param name="Frontend">The frontend's domain.</param>
/// <param name="Id">The device's number.</param>
internal sealed record DeviceNodes(string Kind, DomId Frontend, int Id)
{
    public string BackendPath { get; } = $"/local/domain/0/backend/{Kind}/{DomainNodes.Text(Frontend.Value)}/{DomainNodes.Text(Id)}";

    public string FrontendPath { get; } = $"{DomainNodes.Home(Frontend)}/device/{Kind}/{DomainNodes.Text(Id)}";

    /// <summary>Makes the device known to both sides, in one transaction.</summary>
    /// <param name="store">The store, as domain 0.</param>
    /// <param name="backend">What only the backend's folder has.</param>
    /// <param name="frontend">What only the frontend's has.</param>
    /// <param name="readOnly">What only the frontend's has, and the guest does not change.</param>
    public XenErrno Write(
        IStorePort store,
        IReadOnlyList<(string Name, string Value)> backend,
        IReadOnlyList<(string Name, string Value)> frontend,
        IReadOnlyList<(string Name, string Value)> readOnly) =>
        store.Transact(view =>
        {
            var nodes = new NodeWriter(view);
            _ = view.Remove(BackendPath);
            _ = view.Remove(XenbusBackendDevice.ErrorPath(BackendPath));
            _ = view.Remove(FrontendPath);
            nodes.Write(FrontendPath, "", [new(Frontend, StoreAccess.None), new(DomId.Dom0, StoreAccess.Read)]);
            nodes.Write(BackendPath, "", DomainNodes.ReadableBy(Frontend));
            foreach ((string name, string value) in backend)
                nodes.Write($"{BackendPath}/{name}", value);
            nodes.Write(BackendPath + "/frontend", FrontendPath);
            nodes.Write(BackendPath + "/frontend-id", DomainNodes.Text(Frontend.Value));
            nodes.Write(BackendPath + "/online", "1");
            nodes.Write(BackendPath + "/state", DomainNodes.Text((int)XenbusState.Initialising));
            foreach ((string name, string value) in frontend)
                nodes.Write($"{FrontendPath}/{name}", value);
            foreach ((string name, string value) in readOnly)
                nodes.Write($"{FrontendPath}/{name}", value, DomainNodes.ReadableBy(Frontend));
            nodes.Write(FrontendPath + "/backend", BackendPath);
            nodes.Write(FrontendPath + "/backend-id", "0");
            nodes.Write(FrontendPath + "/state", DomainNodes.Text((int)XenbusState.Initialising));
            return nodes.Result;
        });

    /// <summary>Removes both folders.</summary>
    public void Remove(IStorePort store) => store.Transact(view =>
    {
        _ = view.Remove(FrontendPath);
        _ = view.Remove(BackendPath);
        _ = view.Remove(XenbusBackendDevice.ErrorPath(BackendPath));
        return XenErrno.OK;
    });
}
