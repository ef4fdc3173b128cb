using System.Buffers.Binary;
using Xen.Rings;

namespace Xen.Drivers.Tests;

/// <summary>A shared page that is a plain array, with a guest's hand on it.</summary>
internal sealed class TestPage : ISharedPage
{
    private readonly byte[] _bytes = new byte[4096];

    public bool IsDisposed { get; private set; }

    public Span<byte> Bytes => IsDisposed ? throw new ObjectDisposedException(nameof(TestPage)) : _bytes;

    public uint this[int offset]
    {
        get => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset));
        set => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset), value);
    }

    public void Dispose() => IsDisposed = true;
}

/// <summary>An event channel whose two ends are methods of the test.</summary>
internal sealed class TestEvents : IEventPort
{
    private Action? _handler;

    /// <summary>How often the backend notified the guest.</summary>
    public int Notified { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Called when the backend notifies: the guest's handler.</summary>
    public Action? Guest { get; set; }

    public void Notify()
    {
        Notified++;
        Guest?.Invoke();
    }

    public void SetHandler(Action? handler) => _handler = handler;

    /// <summary>The guest notifies the backend.</summary>
    public void Raise() => _handler?.Invoke();

    public void Dispose() => IsDisposed = true;
}
