namespace Xen.Cpu;

/// <summary>An engine's place in the table of <see cref="HostFaults"/>. One that is forgotten without being disposed of gives it back, too.</summary>
internal sealed class HostFaultRegistration(int index) : IDisposable
{
    private int _index = index;

    ~HostFaultRegistration() => Release();

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        int mine = Interlocked.Exchange(ref _index, -1);
        if (mine >= 0)
            HostFaults.Unregister(mine);
    }
}
