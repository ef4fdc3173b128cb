using Grpc.Core;
using Xen.Contract.V1;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The devices of running domains.</summary>
internal sealed partial class XendService
{
    public override Task<ListBlockDevicesReply> ListBlockDevices(DomainRequest request, ServerCallContext context) => LookAsync(
        context, () => new ListBlockDevicesReply { Devices = { state.Domains.Find(request.Domain).Domain.Devices.Disks.Select(Messages.Of) } });

    public override Task<ListNetworkInterfacesReply> ListNetworkInterfaces(DomainRequest request, ServerCallContext context) => LookAsync(
        context, () => new ListNetworkInterfacesReply { Interfaces = { state.Domains.Find(request.Domain).Domain.Devices.Vifs.Select(Messages.Of) } });

    public override Task<Done> AttachBlockDevice(AttachDeviceRequest request, ServerCallContext context) => OffPoolAsync(() =>
    {
        IDomainDevices devices = state.Domains.Find(request.Domain).Domain.Devices;
        devices.AttachDisk(Read(() => DomainConfigReader.ReadDisk(request.Device, Absolute(request.WorkingFolder))));
    });

    public override Task<Done> AttachNetworkInterface(AttachDeviceRequest request, ServerCallContext context) => OffPoolAsync(() =>
    {
        IDomainDevices devices = state.Domains.Find(request.Domain).Domain.Devices;
        devices.AttachVif(Read(() => DomainConfigReader.ReadVif(request.Device)));
    });

    public override async Task<Done> DetachBlockDevice(DetachDeviceRequest request, ServerCallContext context)
    {
        using CancellationTokenSource until = Until(context);
        await (await OffPoolAsync(() => state.Domains.Find(request.Domain).Domain.Devices.DetachDiskAsync(request.Device, request.Force, until.Token)).ConfigureAwait(false)).ConfigureAwait(false);
        return new Done();
    }

    public override async Task<Done> DetachNetworkInterface(DetachDeviceRequest request, ServerCallContext context)
    {
        using CancellationTokenSource until = Until(context);
        await (await OffPoolAsync(() => state.Domains.Find(request.Domain).Domain.Devices.DetachVifAsync(request.Device, request.Force, until.Token)).ConfigureAwait(false)).ConfigureAwait(false);
        return new Done();
    }

    private static T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (ToolstackException fault)
        {
            throw new ArgumentException(fault.Message, fault);
        }
    }
}
