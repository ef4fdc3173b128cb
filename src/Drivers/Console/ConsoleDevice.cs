using Xen.Abi;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Console;

/// <summary>
/// A PV console that is a device: number 1 and up, beside the one that every domain has from its start. The frontend publishes <c>ring-ref</c>
/// and <c>port</c>; what it prints and is told goes through a <see cref="ConsolePipe"/>, which outlives its connections.
/// <b>Source</b>: io/console.h; docs/misc/console.txt.
/// </summary>
/// <param name="pipe">Where bytes come from and go to; not owned.</param>
public sealed class ConsoleDevice(ConsolePipe pipe) : IXenbusBackend
{
    /// <summary>A device's class in xenstore.</summary>
    public const string Kind = "console";

    /// <summary>What both ends speak, and the only value of the node <c>protocol</c>.</summary>
    public const string Protocol = "vt100";

    private ConsoleBackend? _backend;

    /// <summary>Nothing: a console has no features.</summary>
    public string? Advertise(XenbusBackendContext context) => null;

    /// <inheritdoc/>
    public string? Connect(XenbusBackendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        XenbusFolder frontend = XenbusFolder.FrontendOf(context);
        string? error = frontend.ReadOptional("protocol", out string protocol);
        if (error is null && protocol.Length > 0 && protocol != Protocol)
            error = $"frontend speaks a protocol that is not {Protocol}";
        error ??= frontend.ReadGrantRef("ring-ref", out GrantRef reference) ?? frontend.ReadPort("port", out EvtchnPort port) ?? Attach(context, reference, port);
        return error;
    }

    /// <summary>Takes the last output, and gives page and channel back.</summary>
    public void Disconnect()
    {
        _backend?.Dispose();
        _backend = null;
    }

    public void Dispose() => Disconnect();

    private string? Attach(XenbusBackendContext context, GrantRef reference, EvtchnPort port)
    {
        GrantStatus status = GrantedPages.TryMap(context.Grants, context.Frontend, [reference], readOnly: false, out GrantedPages? pages, out _);
        if (status != GrantStatus.Okay)
            return $"frontend's ring-ref={reference.Value} cannot be mapped: {status}";
        XenErrno errno = context.Events.BindInterdomain(context.Frontend, port, out IEventPort? events);
        if (errno != XenErrno.OK)
        {
            pages!.Dispose();
            return $"frontend's port={port.Value} cannot be bound: {errno}";
        }

        _backend = new ConsoleBackend(new GrantedPage(pages!), events!, pipe, context.Fail, () => pages!.MarkWritten(0));
        return null;
    }

    /// <summary>The one page of a console.</summary>
    private sealed class GrantedPage(GrantedPages pages) : ISharedPage
    {
        public Span<byte> Bytes => pages.Bytes(0);

        public void Dispose() => pages.Dispose();
    }
}
