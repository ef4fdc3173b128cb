using System.Text;
using Xen.Drivers.Console;

namespace Xen.Drivers.Tests.Console;

/// <summary>A guest's side of a console, written from io/console.h alone: index arithmetic of its own, byte by byte.</summary>
internal sealed class TestGuest
{
    private const int InCons = 3072, InProd = 3076, OutCons = 3080, OutProd = 3084;

    public TestGuest(uint start = 0)
    {
        Page[InCons] = Page[InProd] = Page[OutCons] = Page[OutProd] = start;
    }

    public TestPage Page { get; } = new();

    public TestEvents Events { get; } = new();

    /// <summary>Bytes printed and not yet taken.</summary>
    public uint Unread => Page[OutProd] - Page[OutCons];

    public ConsoleBackend Attach(ConsolePipe pipe, Action<string>? faulted = null) => new(Page, Events, pipe, faulted);

    /// <summary>Prints what fits and notifies; returns how much that was.</summary>
    public int Print(ReadOnlySpan<byte> bytes)
    {
        int printed = 0;
        while (printed < bytes.Length && Unread < 2048)
        {
            Page.Bytes[(int)(1024 + (Page[OutProd] & 2047))] = bytes[printed++];
            Page[OutProd]++;
        }

        Events.Raise();
        return printed;
    }

    public int Print(string text) => Print(Encoding.Latin1.GetBytes(text));

    /// <summary>Takes all that was typed and notifies.</summary>
    public byte[] Take()
    {
        List<byte> taken = [];
        for (; Page[InCons] != Page[InProd]; Page[InCons]++)
            taken.Add(Page.Bytes[(int)(Page[InCons] & 1023)]);
        Events.Raise();
        return [.. taken];
    }

    /// <summary>Claims to have printed more than the ring holds.</summary>
    public void LieAboutOutput(uint ahead)
    {
        Page[OutProd] = Page[OutCons] + ahead;
        Events.Raise();
    }

    /// <summary>Claims to have read what was never typed.</summary>
    public void LieAboutInput(uint ahead)
    {
        Page[InCons] = Page[InProd] + ahead;
        Events.Raise();
    }
}
