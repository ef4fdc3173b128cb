using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>The verbs that plug, unplug and list the devices of a running domain.</summary>
internal sealed class DeviceCommands(XmContext context)
{
    private readonly ServiceCalls _xend = new(context);

    public IEnumerable<Command> Build()
    {
        yield return BuildBlockAttach();
        yield return BuildDetach(
            "block-detach", "Take a disk away from a running domain.", "Its name in the guest, such as xvdb, or its number.", static (client, device) => client.DetachBlockDeviceAsync(device));
        yield return BuildList("block-list", "List the disks of a domain.", ReadBlocksAsync, static () => Rows.Default.BlockRowArray, PrintBlocks);
        yield return BuildNetworkAttach();
        yield return BuildDetach(
            "network-detach", "Take a network interface away from a running domain.", "Its number or its MAC address.", static (client, device) => client.DetachNetworkInterfaceAsync(device));
        yield return BuildList("network-list", "List the network interfaces of a domain.", ReadNetworksAsync, static () => Rows.Default.NetworkRowArray, PrintNetworks);
    }

    private static Argument<string> Domain() => new("DOMAIN") { Description = "Its name or number." };

    private static AttachDeviceRequest Attach(string domain, string device) => new() { Domain = domain, Device = device, WorkingFolder = Environment.CurrentDirectory };

    private Command BuildBlockAttach()
    {
        Argument<string> name = Domain();
        Argument<string[]> disk = new("DISK")
        {
            Description = "A disk as in a configuration (file:data.img,xvdb,w), or as three words: BACKEND-DEVICE FRONTEND-DEVICE MODE.",
            Arity = ArgumentArity.OneOrMore,
        };
        Command command = new("block-attach", "Give a running domain one more disk.") { name, disk };
        command.SetAction(async (parsed, _) =>
        {
            AttachDeviceRequest request = Attach(parsed.GetRequiredValue(name), DiskText(parsed.GetRequiredValue(disk)));
            await _xend.AskAsync(client => client.AttachBlockDeviceAsync(request)).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private static string DiskText(string[] words) => words switch
    {
        [var all] => all,
        [var back, var front, var mode] => Join(back, front, mode),
        [var back, var front, var mode, "0" or "Domain-0"] => Join(back, front, mode),
        [_, _, _, _] => throw new UsageException("only domain 0 has backends: leave BACKEND-DOMAIN out."),
        _ => throw new UsageException("a disk is one word like file:data.img,xvdb,w or three: BACKEND-DEVICE FRONTEND-DEVICE MODE."),
    };

    private static string Join(string back, string front, string mode) =>
        back.Contains(':', StringComparison.Ordinal) ? $"{back},{front},{mode}" : $"{back},raw,{front},{mode}";

    private Command BuildNetworkAttach()
    {
        Argument<string> name = Domain();
        Argument<string[]> parts = new("KEY=VALUE")
        {
            Description = "As in a configuration's vif=: bridge=lan0 mac=00:16:3e:01:02:03 rate=10Mb/s; none for user-mode networking.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Command command = new("network-attach", "Give a running domain one more network interface.") { name, parts };
        command.SetAction(async (parsed, _) =>
        {
            AttachDeviceRequest request = Attach(parsed.GetRequiredValue(name), string.Join(',', parsed.GetValue(parts) ?? []));
            await _xend.AskAsync(client => client.AttachNetworkInterfaceAsync(request)).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildDetach(string verb, string description, string what, Func<Xend.XendClient, DetachDeviceRequest, AsyncUnaryCall<Done>> call)
    {
        Argument<string> name = Domain();
        Argument<string> device = new("DEVICE") { Description = what };
        Option<bool> force = new("--force", "-f") { Description = "At once, whatever the guest does." };
        Command command = new(verb, description) { name, device, force };
        command.SetAction(async (parsed, _) =>
        {
            var request = new DetachDeviceRequest { Domain = parsed.GetRequiredValue(name), Device = parsed.GetRequiredValue(device), Force = parsed.GetValue(force) };
            await _xend.AskAsync(client => call(client, request)).ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    /// <param name="verb">The verb.</param>
    /// <param name="description">What it does.</param>
    /// <param name="read">Asks for the rows of a domain.</param>
    /// <param name="format">How they become JSON; asked for when they do, for the answer takes a while.</param>
    /// <param name="print">Prints them.</param>
    private Command BuildList<TRow>(
        string verb, string description, Func<string, Task<TRow[]>> read, Func<JsonTypeInfo<TRow[]>> format, Action<IReadOnlyList<TRow>> print)
    {
        Argument<string> name = Domain();
        Option<bool> json = new("--json") { Description = "Print JSON." };
        Command command = new(verb, description) { name, json };
        command.SetAction(async (parsed, _) =>
        {
            TRow[] rows = await read(parsed.GetRequiredValue(name)).ConfigureAwait(false);
            if (parsed.GetValue(json))
                await context.Out.WriteLineAsync(JsonSerializer.Serialize(rows, format())).ConfigureAwait(false);
            else
                print(rows);
            return ExitCode.Ok;
        });
        return command;
    }

    private async Task<BlockRow[]> ReadBlocksAsync(string domain) =>
        [.. (await _xend.AskAsync(client => client.ListBlockDevicesAsync(new DomainRequest { Domain = domain })).ConfigureAwait(false)).Devices.Select(BlockRow.Of)];

    private async Task<NetworkRow[]> ReadNetworksAsync(string domain) =>
        [.. (await _xend.AskAsync(client => client.ListNetworkInterfacesAsync(new DomainRequest { Domain = domain })).ConfigureAwait(false)).Interfaces.Select(NetworkRow.Of)];

    private void PrintBlocks(IReadOnlyList<BlockRow> rows)
    {
        context.Out.WriteLine("Vdev  BE handle state evt-ch ring-ref BE-path");
        foreach (BlockRow row in rows)
        {
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Vdev,-5} {row.Backend,-3} {0,-3}   {row.State,-5} {row.EventChannel,-6} {row.RingRef,-8} {row.BackendPath,-30}{Reason(row.Connected, row.Status)}"));
        }
    }

    private void PrintNetworks(IReadOnlyList<NetworkRow> rows)
    {
        context.Out.WriteLine("Idx BE     MAC Addr.     handle state evt-ch tx-/rx-ring-ref BE-path");
        foreach (NetworkRow row in rows)
        {
            context.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Index,-3} {row.Backend,-3} {row.Mac,-17} {row.Index,-6} {row.State,-5} {row.EventChannel,-6} {row.TxRingRef,6}/{row.RxRingRef,-8} {row.BackendPath,-30}{Reason(row.Connected, row.Status)}"));
        }
    }

    /// <summary>What a device waits for, or why it failed; nothing where all is well.</summary>
    private static string Reason(bool connected, string status) => connected ? "" : "  " + status;
}
