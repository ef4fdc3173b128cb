using System.Globalization;
using System.Text.Json;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>What other terminals may ask the process that runs a domain. A request is a verb and its arguments, with tabs between.</summary>
internal sealed class DomainRequests(IToolstack toolstack, IRunningDomain domain)
{
    /// <summary>Answers a request.</summary>
    /// <exception cref="ToolstackException">It cannot be done, and why.</exception>
    public async Task<string> AnswerAsync(string request, CancellationToken cancellation)
    {
        string[] words = request.Split('\t');
        switch (words)
        {
            case ["status"]:
                return DomainLine.Format(domain);
            case ["dmesg"]:
                return toolstack.ReadLog();
            case ["dmesg-clear"]:
                return toolstack.ReadLog(clear: true);
            case ["pause"]:
                domain.Pause();
                return "";
            case ["unpause"]:
                domain.Unpause();
                return "";
            case ["destroy"]:
                domain.Destroy();
                return "";
            case ["debug-key", [var key]]:
                return toolstack.DebugKey(key);
            default:
                return await AnswerDevicesAsync(words, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Begins what a request asks for, where that is more than one answer.</summary>
    /// <returns>Null: it is one for <see cref="AnswerAsync"/>.</returns>
    /// <exception cref="ToolstackException">It cannot be had, and why.</exception>
    public IControlSession? TryBegin(string request) =>
        request.Split('\t') is ["console", var number] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int console)
            ? ConsoleRelay.Take(domain, console)
            : null;

    private async Task<string> AnswerDevicesAsync(string[] words, CancellationToken cancellation)
    {
        switch (words)
        {
            case ["block-list"]:
                return JsonSerializer.Serialize([.. domain.Devices.Disks.Select(BlockRow.Of)], DeviceRows.Default.BlockRowArray);
            case ["block-attach", var disk]:
                domain.Devices.AttachDisk(DomainConfigReader.ReadDisk(disk));
                return "";
            case ["block-detach", var device, var how]:
                await domain.Devices.DetachDiskAsync(device, how == "force", cancellation).ConfigureAwait(false);
                return "";
            case ["network-list"]:
                return JsonSerializer.Serialize([.. domain.Devices.Vifs.Select(NetworkRow.Of)], DeviceRows.Default.NetworkRowArray);
            case ["network-attach", var vif]:
                return domain.Devices.AttachVif(DomainConfigReader.ReadVif(vif)).ToString(CultureInfo.InvariantCulture);
            case ["network-detach", var device, var how]:
                await domain.Devices.DetachVifAsync(device, how == "force", cancellation).ConfigureAwait(false);
                return "";
            default:
                throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                    $"process {Environment.ProcessId}, which runs domain '{domain.Config.Name}', does not know this request: it is of another version of xm."));
        }
    }
}
