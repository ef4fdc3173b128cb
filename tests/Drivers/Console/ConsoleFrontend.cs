using System.Globalization;
using System.Text;
using Xen.Abi;
using Xen.Drivers.Console;
using Xen.GuestKit.Harness;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Console;

/// <summary>A console device of a guest in a world: our backend, and a frontend that does what Linux's hvc_xen does, or what the test says.</summary>
internal sealed class ConsoleFrontend : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private const int InCons = 3072, InProd = 3076, OutCons = 3080, OutProd = 3084;

    private readonly World _world;
    private readonly WorldDomain _guest;
    private readonly string _front;
    private readonly XenbusBackendDevice _device;

    public ConsoleFrontend(World world, int number)
    {
        _world = world;
        WorldDomain dom0 = world.Domain(0);
        _guest = world.Domain(3);
        (BackendPath, _front) = world.Link(dom0, _guest, ConsoleDevice.Kind, number);
        _device = new XenbusBackendDevice(
            new ConsoleDevice(Pipe), new XenbusBackendContext(dom0.Store, dom0.Grants, dom0.Events, BackendPath, _front, _guest.Id, number, _ => { }));
        Assert.Null(_device.Start());
    }

    public string BackendPath { get; }

    public ConsolePipe Pipe { get; } = new();

    public WorldPage Page { get; private set; } = null!;

    public WorldEventPort Port { get; private set; } = null!;

    public string? Error => _world.Store.Read(BackendPath + "/error");

    /// <summary>Bytes printed and not yet taken.</summary>
    public uint Unread => Page[OutProd] - Page[OutCons];

    /// <summary>Shares a new page and makes a new channel, and publishes both: hvc_xen's probe.</summary>
    public void Publish(uint start = 0)
    {
        Page = _guest.Grants.AllocatePage();
        Page[InCons] = Page[InProd] = Page[OutCons] = Page[OutProd] = start;
        Port = _guest.Events.AllocateUnbound(new DomId(0));
        Write("ring-ref", Text(_guest.Grants.Grant(Page, new DomId(0)).Value));
        Write("port", Text(Port.Port.Value));
        SetState(XenbusState.Initialised);
    }

    /// <summary>To Connected, as hvc_xen gets there.</summary>
    public void Connect(uint start = 0)
    {
        Publish(start);
        WaitFor(XenbusState.Connected);
        SetState(XenbusState.Connected);
    }

    public void Write(string name, string value) => _world.Store.Write(_front + "/" + name, value);

    public void SetState(XenbusState state) => Write("state", Text((uint)state));

    public void WaitFor(XenbusState state) =>
        Assert.True(_world.Store.WaitFor(BackendPath + "/state", Text((uint)state), Patience), $"not {state}: {_device.Status}");

    /// <summary>Prints what fits; returns how much that was.</summary>
    public int Print(ReadOnlySpan<byte> bytes)
    {
        int printed = 0;
        while (printed < bytes.Length && Unread < 2048)
        {
            Page.Bytes[(int)(1024 + (Page[OutProd] & 2047))] = bytes[printed++];
            Page[OutProd]++;
        }

        Port.Notify();
        return printed;
    }

    /// <summary>Prints all, waiting for room.</summary>
    public void PrintAll(string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        for (int at = 0; at < bytes.Length;)
        {
            at += Print(bytes.AsSpan(at));
            Assert.True(SpinWait.SpinUntil(() => Unread < 2048, Patience), "the ring stays full");
        }
    }

    public void Lie(bool output, uint ahead)
    {
        if (output)
            Page[OutProd] = Page[OutCons] + ahead;
        else
            Page[InCons] = Page[InProd] + ahead;
        Port.Notify();
    }

    /// <summary>Takes as many bytes as were to come.</summary>
    public string Take(int count)
    {
        List<byte> taken = [];
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                for (; Page[InCons] != Page[InProd]; Page[InCons]++)
                    taken.Add(Page.Bytes[(int)(Page[InCons] & 1023)]);
                Port.Notify();
                return taken.Count >= count;
            },
            Patience), "it does not come");
        return Encoding.Latin1.GetString([.. taken]);
    }

    /// <summary>Reads from the host's end.</summary>
    public async Task<string> ReadAsync(int length)
    {
        using CancellationTokenSource patience = new(Patience);
        byte[] bytes = new byte[length];
        for (int at = 0; at < length;)
            at += await Pipe.ReadAsync(bytes.AsMemory(at), patience.Token);
        return Encoding.Latin1.GetString(bytes);
    }

    public void Dispose()
    {
        _device.Dispose();
        Pipe.Dispose();
    }

    private static string Text(uint value) => value.ToString(CultureInfo.InvariantCulture);
}
