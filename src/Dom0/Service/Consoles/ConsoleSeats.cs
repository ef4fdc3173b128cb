using System.Globalization;
using Grpc.Core;

namespace Xen.Service;

/// <summary>
/// How many may be at consoles, for each of them costs memory: at one, and in all. Readers may have a half of the places, so that operators always find one.
/// </summary>
internal sealed class ConsoleSeats
{
    /// <summary>At one console.</summary>
    internal const int MostAtOne = 64;

    /// <summary>At all together.</summary>
    internal const int MostInAll = 256;

    private readonly Lock _lock = new();

    /// <summary>Who is at each; a console that nobody is at has no entry.</summary>
    private readonly Dictionary<ConsoleHub, Count> _consoles = [];
    private Count _all;

    /// <summary>Takes a place at a console, until that is disposed of.</summary>
    /// <exception cref="RpcException">There is none.</exception>
    public IDisposable Take(ConsoleHub console, Role role)
    {
        bool reads = role != Role.Operator;
        lock (_lock)
        {
            Count here = _consoles.GetValueOrDefault(console);
            if (!here.HasRoom(MostAtOne, reads))
                throw Full(MostAtOne, "at this console", reads);
            if (!_all.HasRoom(MostInAll, reads))
                throw Full(MostInAll, "at the consoles of this xend", reads);
            _consoles[console] = here.With(1, reads);
            _all = _all.With(1, reads);
        }

        return new Seat(this, console, reads);
    }

    private static RpcException Full(int most, string where, bool reads) => new(new Status(StatusCode.ResourceExhausted, string.Create(CultureInfo.InvariantCulture,
        $"there are {(reads ? most / 2 : most)} {(reads ? "readers" : "clients")} {where} already, and no more may be: one of them has to leave first.")));

    private void Leave(ConsoleHub console, bool reads)
    {
        lock (_lock)
        {
            _all = _all.With(-1, reads);
            Count left = _consoles[console].With(-1, reads);
            if (left.All == 0)
                _consoles.Remove(console);
            else
                _consoles[console] = left;
        }
    }

    private readonly record struct Count(int All, int Readers)
    {
        public bool HasRoom(int most, bool reads) => All < most && (!reads || Readers < most / 2);

        public Count With(int change, bool reads) => new(All + change, Readers + (reads ? change : 0));
    }

    private sealed class Seat(ConsoleSeats seats, ConsoleHub console, bool reads) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
                seats.Leave(console, reads);
        }
    }
}
