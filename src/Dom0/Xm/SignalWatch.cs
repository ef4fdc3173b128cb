using System.Runtime.InteropServices;

namespace Xen.Xm;

/// <summary>Turns the signals that end a program into a cancellation, so that everything is put back in order first.</summary>
internal sealed class SignalWatch : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _signal;

    public SignalWatch(CancellationToken also)
    {
        _source = CancellationTokenSource.CreateLinkedTokenSource(also);
        Watch(PosixSignal.SIGINT, 2);
        Watch(PosixSignal.SIGTERM, 15);
        Watch(PosixSignal.SIGHUP, 1);
        Watch(PosixSignal.SIGQUIT, 3);
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>The exit status of a program that this signal ended.</summary>
    public int ExitStatus => 128 + (_signal == 0 ? 15 : _signal);

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    private void Watch(PosixSignal signal, int number) =>
        _registrations.Add(PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            Interlocked.CompareExchange(ref _signal, number, 0);
            _source.Cancel();
        }));
}
