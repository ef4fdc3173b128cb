using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>The verbs that plug, unplug and list the devices of a running domain.</summary>
internal sealed class DeviceCommands(XmContext context)
{
    private readonly ControlClient _client = new(context.Paths);

    public IEnumerable<Command> Build()
    {
        yield return BuildBlockAttach();
        yield return BuildDetach("block-detach", "Take a disk away from a running domain.", "Its name in the guest, such as xvdb, or its number.");
        yield return BuildList("block-list", "List the disks of a domain.", static () => DeviceRows.Default.BlockRowArray, PrintBlocks);
        yield return BuildNetworkAttach();
        yield return BuildDetach("network-detach", "Take a network interface away from a running domain.", "Its number or its MAC address.");
        yield return BuildList("network-list", "List the network interfaces of a domain.", static () => DeviceRows.Default.NetworkRowArray, PrintNetworks);
    }

    private static Argument<string> Domain() => new("DOMAIN") { Description = "Its name or number." };

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
            DomainLine domain = await _client.FindAsync(parsed.GetRequiredValue(name)).ConfigureAwait(false);
            DiskConfig config = DomainConfigReader.ReadDisk(DiskText(parsed.GetRequiredValue(disk)));
            await ControlClient.AskAsync(domain, $"block-attach\t{config}").ConfigureAwait(false);
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
            DomainLine domain = await _client.FindAsync(parsed.GetRequiredValue(name)).ConfigureAwait(false);
            VifConfig vif = DomainConfigReader.ReadVif(string.Join(',', parsed.GetValue(parts) ?? []));
            await ControlClient.AskAsync(domain, $"network-attach\t{vif}").ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildDetach(string verb, string description, string what)
    {
        Argument<string> name = Domain();
        Argument<string> device = new("DEVICE") { Description = what };
        Option<bool> force = new("--force", "-f") { Description = "At once, whatever the guest does." };
        Command command = new(verb, description) { name, device, force };
        command.SetAction(async (parsed, _) =>
        {
            DomainLine domain = await _client.FindAsync(parsed.GetRequiredValue(name)).ConfigureAwait(false);
            string how = parsed.GetValue(force) ? "force" : "ask";
            await ControlClient.AskAsync(domain, $"{verb}\t{parsed.GetRequiredValue(device)}\t{how}").ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    /// <param name="verb">The verb.</param>
    /// <param name="description">What it does.</param>
    /// <param name="rows">How rows are read; asked for when they are, for the answer takes a while.</param>
    /// <param name="print">Prints them.</param>
    private Command BuildList<TRow>(string verb, string description, Func<JsonTypeInfo<TRow[]>> rows, Action<IReadOnlyList<TRow>> print)
    {
        Argument<string> name = Domain();
        Option<bool> json = new("--json") { Description = "Print JSON." };
        Command command = new(verb, description) { name, json };
        command.SetAction(async (parsed, _) =>
        {
            DomainLine domain = await _client.FindAsync(parsed.GetRequiredValue(name)).ConfigureAwait(false);
            string answer = await ControlClient.AskAsync(domain, verb).ConfigureAwait(false);
            if (parsed.GetValue(json))
                context.Out.WriteLine(answer);
            else
                print(JsonSerializer.Deserialize(answer, rows()) ?? []);
            return ExitCode.Ok;
        });
        return command;
    }

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
